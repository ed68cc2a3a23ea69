#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A layer is made once: by one of two builds that want it at the same time, and never again while its inputs are the same.
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3
[ "$(id -u)" -eq 0 ] || skip "needs root (a user would need subordinate ids)"

synthetic_inputs "$tmp/in"
export MKAPPLIANCE_INIT=$tmp/in/init XDG_CACHE_HOME=$tmp/cache CALLS=$tmp/calls

# A package manager that counts its calls, and whose base is that of the synthetic inputs.
mkdir "$tmp/bin"
tar -C "$tmp/in/base" --sort=name --mtime=@1600000000 --owner=0 --group=0 --numeric-owner -cf "$tmp/base.tar" .
export BASE=$tmp/base.tar
cat >"$tmp/bin/mmdebstrap" <<-'END'
	#!/bin/sh
	echo "$@" >>"$CALLS"
	sleep 1
	exec cat "$BASE"
END
chmod 755 "$tmp/bin/mmdebstrap"
sed -e 's/^Source=.*/Source=debian\nSuite=bookworm\nPackages=application/' -e '/^Path=/d' "$tmp/in/appliance.conf" >"$tmp/in/debian.conf"

with_manager() { PATH=$tmp/bin:$PATH "$@"; }
build() { "$mkappliance" build "$tmp/in/debian.conf" -o "$tmp/$1" --quiet "${@:2}"; }
calls() { wc -l <"$CALLS"; }
# calls_now N COMMAND...: the command works, and the package manager has been called N times by then.
calls_now() {
	local n=$1
	shift
	"$@" || return
	[ "$(calls)" -eq "$n" ] || {
		echo "called $(calls) times, expected $n"
		return 1
	}
}

both_at_once() {
	local first second
	with_manager build first &
	first=$!
	with_manager build second &
	second=$!
	wait $first && wait $second && same_bytes "$tmp/first/synthetic-1.0.raw" "$tmp/second/synthetic-1.0.raw"
}
check "two builds at once: one fetches, both have the same image" calls_now 1 both_at_once
check "again, without a package manager" calls_now 1 build again
check "again, --offline" calls_now 1 with_manager build offline --offline
same() { same_bytes "$tmp/first/synthetic-1.0.raw" "$tmp/again/synthetic-1.0.raw" && cmp "$tmp/first/synthetic-1.0.manifest.json" "$tmp/again/synthetic-1.0.manifest.json"; }
check "the same image and manifest" same

starts_nothing() {
	strace -f -qq -e trace=execve,execveat -o "$tmp/trace" "$mkappliance" build "$tmp/in/debian.conf" -o "$tmp/traced" --quiet &&
		[ "$(grep -c 'exec.*= 0' "$tmp/trace")" -eq 1 ]
}
if command -v strace >/dev/null && strace -qq -o /dev/null true 2>/dev/null; then
	check "a warm build starts no program at all" starts_nothing
else
	check_skip "a warm build starts no program at all" "strace is not installed (apt-get install strace) or not allowed"
fi

other_file() {
	echo "another page" >"$tmp/in/page"
	with_manager build file && ! same_bytes "$tmp/first/synthetic-1.0.raw" "$tmp/file/synthetic-1.0.raw"
}
check "another file in [Files] fetches nothing" calls_now 1 other_file
check "--refresh fetches" calls_now 2 with_manager build refresh --refresh
other_packages() {
	sed -i 's/^Packages=.*/& another/' "$tmp/in/debian.conf" && with_manager build packages
}
check "another package fetches" calls_now 3 other_packages

# damage SED: the newest layer of the cache is altered.
layer=$(find "$tmp/cache" -name '*.tar' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
flipped() {
	printf X | dd of="$layer" bs=1 seek=700000 conv=notrunc status=none && with_manager build damaged
}
check "a damaged layer is made again" calls_now 4 flipped
cut_off() {
	truncate -s 1000000 "$layer" && with_manager build damaged
}
check "a truncated layer is made again" calls_now 5 cut_off
no_record() {
	: >"${layer%.tar}.json" && with_manager build damaged
}
check "a layer whose record is empty is made again" calls_now 6 no_record
moved() {
	cp -a "$tmp/cache" "$tmp/moved" && XDG_CACHE_HOME=$tmp/moved build moved
}
check "a copied cache is as good" calls_now 6 moved
read_only() {
	chmod -R a-w "$tmp/moved" &&
		setpriv --reuid=65534 --regid=65534 --clear-groups "$tmp/mkappliance" build "$tmp/in/debian.conf" -o "$tmp/user" --quiet \
			--cache="$tmp/moved/mkappliance"
}
if command -v setpriv >/dev/null; then
	install -m 755 "$mkappliance" "$tmp/mkappliance"
	install -d -m 777 "$tmp/user"
	check "somebody else's cache can be read" calls_now 6 read_only
fi

# Into the same place: each image is whole, whoever was last.
same_place() {
	local pids=() p
	for p in 1 2 3; do
		build place --threads=$p &
		pids+=($!)
	done
	for p in "${pids[@]}"; do wait "$p" || return; done
	"$mkappliance" verify "$tmp/place/synthetic-1.0.raw" --quiet && [ "$(find "$tmp/place" -type f | wc -l)" -eq 5 ]
}
check "three builds into one directory" calls_now 6 same_place
