#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Source=disk: disk images made by mke2fs and sfdisk with a busybox in them become an image, whatever their format, with every owner and
# attribute; and each base that cannot be used is refused. Real distributions: templates/disk-debian, in templates.sh. Each start
# of libguestfs takes ten seconds where the processor does not help, so the bad ones run side by side.
# Takes: 170 s
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3
requires busybox busybox-static
requires mke2fs e2fsprogs
requires sfdisk fdisk
requires qemu-img qemu-utils
requires guestfish guestfs-tools
requires setfattr attr
requires setfacl acl
requires cryptsetup cryptsetup-bin
[ "$(id -u)" -eq 0 ] || skip "needs root, to give files other owners"

synthetic_inputs "$tmp/in"
. tests/integration/disk_images.sh

# ---- the bases ----

# A system that libguestfs takes for a Debian; its apt-get only notes down what it is told.
guest=$tmp/guest
cp -a "$tmp/in/base" "$guest"
mkdir -p "$guest"/{boot/grub,usr/lib/modules,etc/ssh,root/.ssh,var/log/app,var/tmp,var/cache/apt/archives,tmp,dev,proc,sys,data,etc/cloud,usr/sbin}
cp -a "$tmp/in/modules/6.1.0-test" "$guest/usr/lib/modules/"
cp "$tmp/in/vmlinuz" "$guest/boot/vmlinuz-6.1.0-test"
mkdir "$guest/usr/lib/modules/5.10.0-9-old"
touch "$guest/usr/lib/modules/5.10.0-9-old/modules.dep" "$guest/boot/vmlinuz-5.10.0-9-old"
ln -s usr/lib "$guest/lib"
ln -s usr/sbin "$guest/sbin"
for applet in sh ls; do cp "$(command -v busybox)" "$guest/usr/bin/$applet"; done
for applet in cat echo id ip touch chmod sleep dd unshare rm grep; do ln -s ls "$guest/usr/bin/$applet"; done
printf 'ID=debian\nVERSION_ID=12\nPRETTY_NAME="Debian of the tests"\n' >"$guest/etc/os-release"
echo 12.1 >"$guest/etc/debian_version"
printf '/dev/sda1 / ext4 defaults 0 1\n/dev/sdq1 /data ext4 defaults 0 2\n' >"$guest/etc/fstab"
cat >"$guest/usr/bin/apt-get" <<'END'
#!/bin/sh
echo "apt-get $*" >>/usr/share/apt-calls
case "$*" in *no-such*) echo "E: Unable to locate package no-such"; exit 100 ;; esac
END
chmod 755 "$guest/usr/bin/apt-get"
# what makes it one machine
identity="/etc/hostname /etc/ssh/ssh_host_ed25519_key /root/.ssh/authorized_keys /var/log/app/log /tmp/left /var/tmp/left
/var/cache/apt/archives/x.deb /boot/grub/grub.cfg /etc/resolv.conf /swapfile"
for f in $identity; do echo secret-identity >"$guest$f"; done
echo 0123456789abcdef0123456789abcdef >"$guest/etc/machine-id"
# odd files
mkdir "$guest/srv/odd"
odd="/srv/odd /srv/odd/owner /srv/odd/acl /srv/odd/capability /srv/odd/label /srv/odd/fifo /srv/odd/link"
echo x >"$guest/srv/odd/owner" && chown 1234567:54321 "$guest/srv/odd/owner" && chmod 6751 "$guest/srv/odd/owner"
echo x >"$guest/srv/odd/acl" && setfacl -m u:777:rwx,g:888:r "$guest/srv/odd/acl" && setfattr -n user.note -v hello "$guest/srv/odd/acl"
setfacl -d -m u:777:rwx "$guest/srv/odd"
echo x >"$guest/srv/odd/capability" && setfattr -n security.capability -v 0x0100000200240000000000000000000000000000 "$guest/srv/odd/capability"
echo x >"$guest/srv/odd/label" && setfattr -n security.selinux -v system_u:object_r:etc_t:s0 "$guest/srv/odd/label"
mkfifo "$guest/srv/odd/fifo"
ln -s ../nowhere "$guest/srv/odd/link"

make_disk "$guest" "$tmp/base.raw" || exit 1
qemu-img convert -O qcow2 "$tmp/base.raw" "$tmp/base.qcow2" && qemu-img convert -O vmdk -o subformat=streamOptimized "$tmp/base.raw" "$tmp/base.vmdk" || exit 1
chmod 444 "$tmp"/base.*

# ---- refused before libguestfs is started ----

sum=$(sha256sum "$tmp/base.qcow2" | cut -d' ' -f1)
conf checksum "Image=$tmp/base.qcow2" "Checksum=sha256:${sum//[0-9]/0}"
check "another checksum is refused" fails_with 3 "its SHA-256 is $sum, [Base] Checksum= says" build checksum
truncate -s 64M "$tmp/empty" && conf empty "Image=$tmp/empty"
check "an empty disk" fails_with 1 "is empty" build empty
mke2fs -q -t ext4 -F "$tmp/empty" && conf unpartitioned "Image=$tmp/empty"
check "a disk without partitions" fails_with 1 "has no partition table" build unpartitioned
qemu-img convert -O qcow2 "$tmp/empty" "$tmp/unpartitioned.qcow2" && conf unpartitioned "Image=$tmp/unpartitioned.qcow2"
check "a qcow2 without partitions" fails_with 1 "has no partition table" build unpartitioned
echo hello >"$tmp/text" && conf text "Image=$tmp/text"
check "a file that is no disk image" fails_with 1 "is not a disk image" build text
gzip -c "$tmp/text" >"$tmp/text.gz" && conf gz "Image=$tmp/text.gz"
check "a compressed file" fails_with 1 "unpack it first: gzip -d" build gz
qemu-img create -q -f qcow2 -b "$tmp/base.qcow2" -F qcow2 "$tmp/overlay.qcow2" && conf overlay "Image=$tmp/overlay.qcow2"
check "an overlay over another file" fails_with 1 "is an overlay over another file" build overlay
head -c 65536 "$tmp/base.qcow2" >"$tmp/cut.qcow2" && conf cut "Image=$tmp/cut.qcow2"
check "a qcow2 that is cut off" fails_with 1 "$tmp/cut.qcow2" build cut
conf path "Image=$tmp/base.qcow2"
check "libguestfs without its appliance" fails_with 1 "its appliance is not installed (apt-get install" env LIBGUESTFS_PATH=/nonexistent \
	"$mkappliance" build "$tmp/in/path.conf" -o "$tmp/out-path" --cache="$tmp/cache-path"
check "nothing is left of it" nothing_left "$tmp/cache-path"
# A qemu that says something, and then computes without end, or ends.
mkdir "$tmp/hv"
cat >"$tmp/hv/qemu-ill" <<'END'
#!/bin/sh
case " $* " in *" -kernel "*) ;; *) exec "qemu-system-$(uname -m)" "$@" ;; esac
printf 'of the test\r\n\n%s\n \n' "$SAYS"
[ "$SAYS" = "Kernel panic - of the test" ] || while :; do sleep 1; done
END
chmod 755 "$tmp/hv/qemu-ill"
ill() { # LAST LINE [SECONDS]
	env SAYS="$1" LIBGUESTFS_HV="$tmp/hv/qemu-ill" MKAPPLIANCE_LIBGUESTFS_TIMEOUT="${2-300}" \
		"$mkappliance" build "$tmp/in/path.conf" -o "$tmp/out-path" --cache="$tmp/cache-path"
}
check "an appliance of libguestfs that does not come up" fails_with 1 "took more than 2 s (its console said 'it waits')" ill "it waits" 2
check "one whose kernel panics" fails_with 1 "its appliance died: 'Kernel panic - of the test'" ill "Kernel panic - of the test"
check "a time limit that is none" fails_with 2 "MKAPPLIANCE_LIBGUESTFS_TIMEOUT: '5m' is not a number of seconds" ill "" 5m
check "nothing is left of these" nothing_left "$tmp/cache-path"
without=build/no-guestfs/no-libvirt/mkappliance
if [ -x "$without" ]; then
	check "a mkappliance without libguestfs says so" fails_with 1 "was built without libguestfs; install it" \
		"$without" build "$tmp/in/path.conf" -o "$tmp/out-path" --cache="$tmp/cache-path"
else
	check_skip "a mkappliance without libguestfs says so" "it is not built (make WITH_GUESTFS=0 WITH_LIBVIRT=0)"
fi

# ---- refused by what is on the disk: side by side ----

truncate -s 40M "$tmp/part" && cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$tmp/part" "$tmp/text" &&
	disk_of "$tmp/part" "$tmp/luks.raw"
conf luks "Image=$tmp/luks.raw"

mkdir -p "$tmp/arm"/{bin,etc,usr}
cp "$guest/etc/os-release" "$guest/etc/debian_version" "$guest/etc/fstab" "$tmp/arm/etc/"
python3 - "$guest/usr/bin/ls" "$tmp/arm/bin/ls" <<'END'
import shutil, struct, sys
data = bytearray(open(sys.argv[1], "rb").read())
struct.pack_into("<H", data, 18, 183)  # EM_AARCH64
open(sys.argv[2], "wb").write(data)
END
chmod 755 "$tmp/arm/bin/ls"
cp "$tmp/arm/bin/ls" "$tmp/arm/bin/sh"
make_disk "$tmp/arm" "$tmp/arm.raw"
conf arm "Image=$tmp/arm.raw"

printf '#!/bin/sh\nip link\necho it went wrong here\nexit 7\n' >"$tmp/in/fails"
conf script "Image=$tmp/base.raw" "[Scripts]" "Run=fails"
conf package "Image=$tmp/base.raw" "Packages=no-such"

# A script that is written to while libguestfs starts: qemu-img is what is called before that.
mkdir "$tmp/bin"
printf '#!/bin/sh\necho true >>%s\nexec %s "$@"\n' "$tmp/in/changing" "$(command -v qemu-img)" >"$tmp/bin/qemu-img"
printf '#!/bin/sh\n' >"$tmp/in/changing"
chmod 755 "$tmp/bin/qemu-img"
conf changed "Image=$tmp/base.qcow2" "[Scripts]" "Run=changing"

for name in luks arm script package changed; do
	PATH=$tmp/bin:$PATH build "$name" >"$tmp/log-$name" 2>&1
	echo $? >"$tmp/status-$name"
done &
bad=$!

# ended NAME CODE TEXT: how that build ended.
ended() {
	cat "$tmp/log-$1"
	[ "$(cat "$tmp/status-$1")" -eq "$2" ] && grep -F "mkappliance: " "$tmp/log-$1" | grep -qF -- "$3"
}

# ---- what works ----

printf '#!/bin/sh\nset -eu\nid -u >/usr/share/script-ran\nip link >/usr/share/links\ntouch /tmp/of-the-script\n' >"$tmp/in/script"
printf '!<arch>\ndebian-binary   of the tests' >"$tmp/in/app.deb"
conf good "Image=$tmp/base.qcow2" "Checksum=sha256:$sum" "Packages=one two" "[Scripts]" "Run=script" "[Package]" "Path=app.deb"
before=$(stat -c '%Y %Z %i %s' "$tmp/base.qcow2")
build good --verbose >"$tmp/log-good" 2>&1
echo $? >"$tmp/status-good"
good() {
	cat "$tmp/log-good"
	[ "$(cat "$tmp/status-good")" -eq 0 ]
}
check "a qcow2 becomes an image" good || exit 1
steps() {
	for step in "reading the image" "starting libguestfs" "finding the system" "installing packages" "script script" "removing the identity" "taking the tree out"; do
		grep -qE "^  $step +[0-9.]+ s" "$tmp/log-good" || {
			echo "no time for '$step'"
			return 1
		}
	done
	[ "$(grep -c '^  starting libguestfs' "$tmp/log-good")" -eq 1 ]
}
check "each step says its time, libguestfs starts once" steps
check "a file system that is not on the disk is a warning" grep -q "fstab wants /dev/sdq1 at /data" "$tmp/log-good"
check "an older kernel is left out" grep -q "left out: 5.10.0-9-old" "$tmp/log-good"
untouched() { [ "$(stat -c '%Y %Z %i %s' "$tmp/base.qcow2")" = "$before" ] && [ "$(sha256sum <"$tmp/base.qcow2")" = "$sum  -" ]; }
check "the base was not written to" untouched
check "nothing is left in the cache's work" [ -z "$(find "$tmp/cache-good/work" -mindepth 1)" ]
check "the image verifies" "$mkappliance" verify "$tmp/out-good/synthetic-1.0.raw" --quiet
again() { build good --offline --quiet && [ -z "$(find "$tmp/cache-good/work" -mindepth 1)" ]; }
check "again from the cache" again

# One start of libguestfs reads base and image with the same commands.
image=$tmp/out-good/synthetic-1.0.raw
{
	echo run
	for disk in a1 b2; do
		echo "mount-ro /dev/sd$disk /"
		for f in $odd; do printf 'echo %s\nlstatns %s\ngetxattrs %s\n' "$f" "$f" "$([ "$f" = /srv/odd/link ] && echo /srv/odd/owner || echo "$f")"; done
		echo "echo == $disk"
		[ $disk = a1 ] || for f in $identity /usr/lib/modules/5.10.0-9-old /tmp/of-the-script /usr/sbin/policy-rc.d /.mkappliance; do printf 'echo %s\nexists %s\n' "$f" "$f"; done
		[ $disk = a1 ] || for f in /etc/machine-id /etc/hostname /etc/resolv.conf /etc/fstab /usr/share/script-ran /usr/share/links /usr/share/apt-calls; do printf 'echo %s:\n-cat %s\n' "$f" "$f"; done
		echo "umount-all"
	done
} >"$tmp/commands"
guestfish --ro --format=qcow2 -a "$tmp/base.qcow2" --format=raw -a "$image" <"$tmp/commands" >"$tmp/seen" 2>&1
attributes() { # DISK
	sed -n "$([ "$1" = a1 ] && echo '1,/^== a1/p' || echo '/^== a1/,/^== b2/p')" "$tmp/seen" |
		grep -E '^/srv|st_mode|st_uid|st_gid|attr|^ *\[' | sed 's/^ *//'
}
same_attributes() {
	[ "$(attributes a1 | grep -c 'attrname: security\.\|attrname: system\.posix_acl\|attrname: user\.')" -ge 5 ] &&
		diff <(attributes a1) <(attributes b2)
}
check "owners, modes, ACLs, labels, capabilities: what guestfish sees in the base is in the image" same_attributes
identity_gone() {
	local there
	sed -n '/^== b2/,$p' "$tmp/seen" >"$tmp/seen-image"
	cat "$tmp/seen-image"
	# These two every image has, with the appliance's own name and nothing in it.
	there=$(awk '/^\// { path = $0 } /^true$/ { print path }' "$tmp/seen-image" | grep -vxE '/etc/hostname|/etc/resolv.conf')
	[ -z "$there" ] && grep -qx false "$tmp/seen-image" && ! grep -q secret-identity "$tmp/seen-image" &&
		! grep -q 0123456789abcdef "$tmp/seen-image" && grep -A 1 -x '/etc/fstab:' "$tmp/seen-image" | grep -q 'Emptied by mkappliance'
}
check "what made it one machine is gone" identity_gone
ran() {
	cat "$tmp/seen-image"
	grep -A 1 -x '/usr/share/script-ran:' "$tmp/seen-image" | grep -qx 0 &&
		grep -qE "^apt-get .*install -- one two /.mkappliance/0.deb" "$tmp/seen-image" && ! grep -q 'eth0' "$tmp/seen-image"
}
check "the packages were given to apt, the script ran as root without network" ran

conf vmdk "Image=$tmp/base.vmdk" "Packages=one two" "[Scripts]" "Run=script" "[Package]" "Path=app.deb"
wait $bad
check "an encrypted disk" ended luks 1 "is encrypted (crypto_LUKS)"
check "a base of another architecture" ended arm 2 "is for aarch64, the appliance is for x86_64"
check "a script that fails" ended script 1 "fails failed: it went wrong here"
check "its output is shown" grep -qx '    it went wrong here' "$tmp/log-script"
check "a package that does not exist" ended package 1 "installing the packages failed: E: Unable to locate package no-such"
check "without network that is said" ended package 1 "[Base] Network=no"
check "a script that was changed after its digest was taken" ended changed 1 "/changing: changed while building; build again"
for name in luks arm script package changed; do
	check "nothing is left of it: $name" nothing_left "$tmp/cache-$name"
done

# ---- killed, interrupted, disk full ----

# begin NAME: in the background; its pid is in $pid.
begin() {
	"$mkappliance" build "$tmp/in/$1.conf" -o "$tmp/out-$1" --cache="$tmp/cache-$1" >"$tmp/log-$1" 2>&1 &
	pid=$!
}
# started NAME: waits for the appliance of the build; its pid is in $qemu.
started() {
	local deadline=$((SECONDS + 120))
	while [ $SECONDS -lt $deadline ]; do
		qemu=$(pgrep -f "qemu-system.*$tmp/cache-$1/work" | head -n 1)
		[ -z "$qemu" ] || return 0
		sleep 0.1
	done
	return 1
}
gone() { # PID
	local deadline=$((SECONDS + 60))
	while [ $SECONDS -lt $deadline ]; do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}
begin vmdk
killed() {
	started vmdk && sleep 1 && kill -9 $pid && gone "$qemu"
}
check "killed with -9: its appliance dies" killed
wait $pid 2>/dev/null
check "what it left is there" [ -n "$(find "$tmp/cache-vmdk/work" -mindepth 1)" ]
check "the next build, of a vmdk" build vmdk --quiet
check "removes what was left" [ -z "$(find "$tmp/cache-vmdk/work" -mindepth 1)" ]
root_hash() { json_get "$tmp/out-$1/synthetic-1.0.manifest.json" verity.root_hash; }
same_root() { root_hash good && root_hash vmdk && [ "$(root_hash good)" = "$(root_hash vmdk)" ]; }
check "a vmdk gives the same root as the qcow2" same_root

conf interrupted "Image=$tmp/base.raw" "[Scripts]" "Run=script"
interrupted() {
	local status=0
	begin interrupted
	started interrupted && sleep 1 && kill -TERM $pid && gone "$qemu" || return
	wait $pid || status=$?
	cat "$tmp/log-interrupted"
	[ $status -eq 143 ] && nothing_left "$tmp/cache-interrupted"
}
check "interrupted: ends at once and leaves nothing" interrupted

printf '#!/bin/sh\ndd if=/dev/urandom of=/usr/share/large bs=65536 count=1000\n' >"$tmp/in/large"
conf full "Image=$tmp/base.raw" "[Scripts]" "Run=large"
mkdir "$tmp/cache-full"
if mount -t tmpfs -o size=48m none "$tmp/cache-full" 2>/dev/null; then
	unmount_full() { umount "$tmp/cache-full" 2>/dev/null; }
	at_exit unmount_full
	check "the disk of the cache is full" fails_with 1 "the disk is full" timeout 300 "$mkappliance" build "$tmp/in/full.conf" -o "$tmp/out-full" --cache="$tmp/cache-full"
	check "nothing is left of it" nothing_left "$tmp/cache-full"
else
	check_skip "the disk of the cache is full" "mount is not allowed here"
fi
