#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Source=rpm where dnf5 is the solver and rpm is of version 6: both as Debian's unstable has them, in a directory of their own. What comes
# out has the packages that dnf 4 gives, and each refusal reads as it does there. That rpm also has databases of the format ndb.
. "$(dirname "$0")/functions.sh"
requires mmdebstrap
[ "$(id -u)" -eq 0 ] || skip "needs root, to go into another root"
. tests/integration/rpm_repository.sh

# A mirror that stands still has a list that is past its date.
other=$tmp/other
mmdebstrap --quiet --variant=extract --aptopt='Acquire::Check-Valid-Until "false"' --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
	--include=dnf5,rpm,dash,coreutils sid "$other" >"$tmp/log" 2>&1 || skip "dnf5 cannot be fetched: $(tail -n 1 "$tmp/log")"

# Our program with its own libraries, not those of the other root.
mkdir -p "$other"/{opt/m/lib,srv,proc,sys,dev,tmp,root,run}
cp "$mkappliance" "$(dirname "$mkappliance")/mkappliance-init" /usr/lib/systemd/boot/efi/linuxx64.efi.stub "$other/opt/m/"
ldd "$mkappliance" | grep -oE '/[^ ]+' | xargs cp -L -t "$other/opt/m/lib"
# other COMMAND...: in the other root, with mounts of its own.
other() {
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m bash -euc 'cd "$0"; mount --bind . .; cd "$0"; mount -t proc proc proc; mount --rbind /dev dev; mount -t sysfs sysfs sys; mount -t tmpfs tmpfs tmp
		mount --move . /; exec chroot . "$@"' "$other" /usr/bin/env -u TMPDIR PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C MKAPPLIANCE_INIT=/opt/m/mkappliance-init "$@"
}
program=(/opt/m/lib/ld-linux-x86-64.so.2 --library-path /opt/m/lib /opt/m/mkappliance)

# What conf (rpm_repository.sh) writes is there, and of that root's own paths.
confs=$other/srv repository="small file:///srv/repository gpgkey=/srv/key.asc" kernel=$'[Kernel]\nStub=/opt/m/linuxx64.efi.stub'
build() { other "${program[@]}" build "/srv/$1.conf" -o /srv/out --cache=/srv/cache --quiet "${@:2}"; }
# refused CODE TEXT PACKAGE... [LINE...]: a template with these packages is refused so.
refused() {
	local code=$1 text=$2 lines=() word
	shift 2
	for word; do
		case $word in *=*) lines+=("$word") ;; *) cp "$tmp/$word-1-1.x86_64.rpm" "$other/srv/" && lines+=("Path=/srv/$word-1-1.x86_64.rpm") ;; esac
	done
	conf bad "${lines[@]}" && fails_with "$code" "$text" build bad
}

cp -r "$distribution/repository" "$distribution/key.asc" "$other/srv/"
cp "$distribution"/hello-1.0.0-1.x86_64.rpm "$other/srv/"
conf app Path=/srv/hello-1.0.0-1.x86_64.rpm GPGKey=/srv/key.asc
versions() { other rpm --version && other dnf5 --version; }
check "dnf5 and its rpm run: $(versions 2>/dev/null | sed -n 1,2p | tr '\n' ' ')" versions
check "an application on its base" build app || exit
# What dnf 4 gives here, of the same packages.
same_packages() {
	sed -e "s|/srv/repository|$distribution/repository|; s|/srv/|$distribution/|; /^\[Kernel\]/d; /^Stub=/d" "$other/srv/app.conf" >"$tmp/app.conf" &&
		"$mkappliance" build "$tmp/app.conf" -o "$tmp/out" --cache="$tmp/cache" --quiet &&
		python3 - "$other/srv/out/app-1.manifest.json" "$tmp/out/app-1.manifest.json" <<-'PY'
			import json, sys
			a, b = ([{k: v for k, v in p.items() if k != "repository"} for p in json.load(open(f))["packages"]] for f in sys.argv[1:])
			assert a == b, [x for x in a + b if x not in a or x not in b]
			assert len(a) == 10 and all(len(p["sha256"]) == 64 for p in a), a
		PY
}
check "the packages are those that dnf 4 installs" same_packages
repository_is_said() { [ "$(grep -c '"repository": "file:///srv/repository"' "$other/srv/out/app-1.manifest.json")" -eq 9 ]; }
check "where they came from is said" repository_is_said
again() { cp --sparse=always "$other/srv/out/app-1.raw" "$tmp/first" && build app --refresh && same_bytes "$tmp/first" "$other/srv/out/app-1.raw"; }
check "all of it once more: the same bytes" again
locked() { build app --refresh --locked /srv/out/app-1.manifest.json && same_bytes "$tmp/first" "$other/srv/out/app-1.raw"; }
check "locked: the same bytes" locked

# ---- the format of openSUSE's databases ----

# A tree that this rpm itself made; which packages it has we ask that rpm.
ndb() {
	other rpm --root=/srv/tree --define '_dbpath /usr/lib/sysimage/rpm' --define '_db_backend ndb' --noplugins --nosignature -U \
		/srv/repository/{filesystem,setup,glibc,base-libs,bash,coreutils,kernel-core}-1-1.x86_64.rpm && [ -e "$other/srv/tree/usr/lib/sysimage/rpm/Packages.db" ] &&
		printf '%s\n' '[Appliance]' Name=ndb Version=1 '[Base]' Source=directory Path=/srv/tree '[Kernel]' Stub=/opt/m/linuxx64.efi.stub '[Init]' 'Exec=/usr/bin/sleep 1' >"$other/srv/ndb.conf" &&
		build ndb && [ "$(python3 -c 'import json, sys; print(*sorted(p["name"] for p in json.load(open(sys.argv[1]))["packages"]))' "$other/srv/out/ndb-1.manifest.json")" = \
		"base-libs bash coreutils filesystem glibc kernel-core setup" ]
}
check "a database of the format ndb is read" ndb

# ---- refusals ----

simple unsigned unsigned
check "an unsigned package where a key is named" refused 3 'unsigned-1-1.x86_64.rpm: is not signed' unsigned GPGKey=/srv/key.asc
mkdir -m 700 "$tmp/gnupg"
stop_agent() { gpgconf --homedir "$tmp/gnupg" --kill all 2>/dev/null; }
at_exit stop_agent
gpg --homedir "$tmp/gnupg" --batch --quiet --pinentry-mode loopback --passphrase '' --quick-generate-key 'Foreign <foreign@example.org>' rsa2048 sign never 2>/dev/null
sign=foreign@example.org gnupg=$tmp/gnupg simple foreign foreign
check "a package with a foreign signature" refused 3 'foreign-1-1.x86_64.rpm: is signed by a foreign key' foreign GPGKey=/srv/key.asc
simple missing missing 'Requires: libnowhere.so.7'
check "a dependency that nobody has, and who needs it" refused 1 'dnf5: nothing provides libnowhere.so.7 needed by missing-1-1.x86_64' missing
simple left same && simple right same
check "two packages with the same file" refused 1 '/opt/same conflicts between attempted installs of left-1-1.x86_64 and right-1-1.x86_64' left right
rpm_of post '%description' t '%post' 'echo the reason; exit 3' '%files'
check "a %post that fails" refused 1 '%post(post-1-1.x86_64) scriptlet failed, exit status 3: the reason' post
simple bad bad && printf X | dd of="$tmp/bad-1-1.x86_64.rpm" bs=1 seek=$(($(stat -c %s "$tmp/bad-1-1.x86_64.rpm") - 50)) conv=notrunc status=none
check "a damaged package" refused 3 'bad-1-1.x86_64.rpm: is damaged' bad
head -c 3000 "$tmp/missing-1-1.x86_64.rpm" >"$tmp/cut-1-1.x86_64.rpm"
check "a package that is cut off" refused 1 'cut-1-1.x86_64.rpm: unexpected EOF' cut
more=nosuchpackage check "a package that is nowhere" refused 1 'dnf5: No match for argument: nosuchpackage'
