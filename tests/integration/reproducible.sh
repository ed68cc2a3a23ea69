#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The same inputs give the same bytes, wherever and by whomever they are built.
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3
requires taskset util-linux
requires setpriv util-linux

# Of the synthetic inputs. When it changes, every image of everybody changes: say why in the commit.
golden=3455b464848bccf5441ac6644b40d0d5ec2e389be59fd9c3a16b3e4af8aba960

synthetic_inputs "$tmp/in"
synthetic_as_tar "$tmp/in"
check "build" synthetic_build "$tmp/in" "$tmp/first" || exit

is_golden() {
	local got
	got=$(json_get "$tmp/first/synthetic-1.0.manifest.json" blocks.sha256_linear)
	[ "$got" = $golden ] || {
		echo "got $got"
		return 1
	}
}
check "the bytes are the known ones" is_golden

# templates/hello as it stands, around a program, a kernel, a stub and an init that no compiler and no archive can change.
golden_hello=5028d454f945ce2afe70298d7c82776e2f02bad2cab44a944cafc85a9e7f8c00
hello_is_golden() {
	local got
	mkdir -p "$tmp/in/hello" && sed -e 's|^Copy=[^:]*:|Copy=../base/usr/bin/application:|' -e '/^Suite=/d' \
		-e 's|^Package=.*|Image=../vmlinuz\nModulesDirectory=../modules/6.1.0-test\nStub=../stub.efi|' \
		templates/hello/appliance.conf >"$tmp/in/hello/appliance.conf" &&
		MKAPPLIANCE_INIT=$tmp/in/init "$mkappliance" build "$tmp/in/hello" -o "$tmp/hello" --quiet || return
	got=$(json_get "$tmp/hello/hello-1.0.0.manifest.json" blocks.sha256_linear)
	[ "$got" = $golden_hello ] || {
		echo "got $got"
		return 1
	}
}
check "templates/hello: the bytes are the known ones" hello_is_golden

# again COMMAND...: runs it, which must build into $tmp/again/out, and compares all that was written.
again() {
	local out=$tmp/again/out
	rm -rf "$tmp/again"
	mkdir -m 777 "$tmp/again"
	"$@" || return
	for f in raw manifest.json blocks spdx.json intoto.json; do
		same_bytes "$tmp/first/synthetic-1.0.$f" "$out/synthetic-1.0.$f" || return
	done
}

build_again() {
	synthetic_build "$tmp/in" "$tmp/again/out" "$@"
}

other_time_zone() {
	TZ=Pacific/Auckland build_again
}
check "in another time zone" again other_time_zone

other_locale() {
	local locale
	locale=$(locale -a 2>/dev/null | grep -im1 -E 'utf-?8' || echo C.UTF-8)
	LC_ALL=$locale LANG=$locale build_again
}
check "in another locale" again other_locale

other_umask() {
	(umask 077 && build_again)
}
check "with another umask" again other_umask

other_directory() {
	(cd / && build_again)
}
check "from another directory" again other_directory

relative_path() {
	(cd "$tmp" && MKAPPLIANCE_INIT=in/init "$mkappliance" build in/appliance.conf -o again/out)
}
check "by a relative path" again relative_path

one_processor() {
	MKAPPLIANCE_INIT=$tmp/in/init taskset -c 0 "$mkappliance" build "$tmp/in" -o "$tmp/again/out"
}
check "on one processor" again one_processor
check "by one thread" again build_again --threads=1
check "by nine threads" again build_again --threads=9

copied_inputs() {
	cp -a "$tmp/in" "$tmp/again/in" &&
		MKAPPLIANCE_INIT=$tmp/again/in/init "$mkappliance" build "$tmp/again/in" -o "$tmp/again/out"
}
check "from a copy of the inputs" again copied_inputs

other_user() {
	setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$tmp/again" MKAPPLIANCE_INIT="$tmp/in/init" \
		"$tmp/mkappliance" build "$tmp/in" -o "$tmp/again/out"
}
if [ "$(id -u)" -eq 0 ]; then
	# Where that user may run it, wherever the build directory is.
	install -m 755 "$mkappliance" "$tmp/mkappliance"
	check "by another user" again other_user
else
	check_skip "by another user" "needs root to become one"
fi

# A version changes names and the initrd, and not one byte of the root.
other_version() {
	local f
	build_again --version=2.0 || return
	for f in 1 2; do
		[ "$(json_get "$tmp/first/synthetic-1.0.manifest.json" disk.partitions.$f)" = \
			"$(json_get "$tmp/again/out/synthetic-2.0.manifest.json" disk.partitions.$f)" ] || return
	done
	[ "$(json_get "$tmp/first/synthetic-1.0.manifest.json" uki.sha256)" != \
		"$(json_get "$tmp/again/out/synthetic-2.0.manifest.json" uki.sha256)" ]
}
rm -rf "$tmp/again"
check "another version has the same root" other_version
