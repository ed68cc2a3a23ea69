#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Source=disk on disks that are laid out as vendors do it: logical volumes with a /boot of its own, btrfs with subvolumes; two systems on one
# disk and a base of another architecture are refused. One start of guestfish makes the first three.
# Takes: 120 s
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3
requires busybox busybox-static
requires mke2fs e2fsprogs
requires mkfs.btrfs btrfs-progs
requires lvm lvm2
requires sfdisk fdisk
requires guestfish guestfs-tools
requires debugfs e2fsprogs
[ "$(id -u)" -eq 0 ] || skip "needs root, to give files other owners"
synthetic_inputs "$tmp/in"
. tests/integration/disk_images.sh

# ---- the disks ----

guest=$tmp/guest
cp -a "$tmp/in/base" "$guest"
mkdir -p "$guest"/{boot,usr/sbin,usr/lib/modules,var/lib/app,var/log,home,tmp,dev,proc,sys,run}
cp -a "$tmp/in/modules/6.1.0-test" "$guest/usr/lib/modules/"
cp "$tmp/in/vmlinuz" "$guest/boot/vmlinuz-6.1.0-test"
ln -s usr/lib "$guest/lib"
ln -s usr/sbin "$guest/sbin"
cp "$guest/usr/bin/application" "$guest/usr/sbin/init"
for applet in sh ls; do cp "$(command -v busybox)" "$guest/usr/bin/$applet"; done
printf 'ID=debian\nVERSION_ID=12\nPRETTY_NAME="Debian of the tests"\n' >"$guest/etc/os-release"
echo 12.1 >"$guest/etc/debian_version"
echo state >"$guest/var/lib/app/state" && chown 7:8 "$guest/var/lib/app/state"
echo home >"$guest/home/file"
setfattr -n security.capability -v 0x0100000200240000000000000000000000000000 "$guest/usr/share/empty"
mkdir "$tmp/tars"
tar -C "$guest" --xattrs --xattrs-include='*' -cf "$tmp/tars/root.tar" .
printf '/dev/vg/root / ext4 defaults 0 1\n/dev/sda1 /boot ext4 defaults 0 2\n/dev/vg/var /var ext4 defaults 0 2\n/dev/vg/swap none swap sw 0 0\n' >"$tmp/tars/lvm"
printf 'LABEL=top / btrfs subvol=@ 0 0\nLABEL=top /home btrfs subvol=@home 0 0\nLABEL=top /.snapshots btrfs subvol=@snapshots 0 0\n' >"$tmp/tars/btrfs"
printf '/dev/sda1 / ext4 defaults 0 1\n' >"$tmp/tars/two"
make_disks() {
	truncate -s 320M "$tmp/lvm.raw" && truncate -s 400M "$tmp/btrfs.raw" && truncate -s 160M "$tmp/two.raw" || return
	guestfish --format=raw -a "$tmp/lvm.raw" --format=raw -a "$tmp/btrfs.raw" --format=raw -a "$tmp/two.raw" <<-END
		run
		part-init /dev/sda gpt
		part-add /dev/sda p 2048 83967
		part-add /dev/sda p 83968 -2048
		pvcreate /dev/sda2
		vgcreate vg /dev/sda2
		lvcreate root vg 160
		lvcreate var vg 40
		lvcreate swap vg 16
		mkfs ext4 /dev/sda1
		mkfs ext4 /dev/vg/root
		mkfs ext4 /dev/vg/var
		mkswap /dev/vg/swap
		mount /dev/vg/root /
		mkdir /boot
		mount /dev/sda1 /boot
		mkdir /var
		mount /dev/vg/var /var
		tar-in $tmp/tars/root.tar / xattrs:true
		upload $tmp/tars/lvm /etc/fstab
		umount-all
		part-disk /dev/sdb gpt
		mkfs btrfs /dev/sdb1 label:top
		mount /dev/sdb1 /
		btrfs-subvolume-create /@
		btrfs-subvolume-create /@home
		btrfs-subvolume-create /@snapshots
		tar-in $tmp/tars/root.tar /@ xattrs:true
		rm-rf /@/home/file
		write /@home/file "home\n"
		mkdir-p /@snapshots/1
		write /@snapshots/1/file old
		mkdir /@/.snapshots
		upload $tmp/tars/btrfs /@/etc/fstab
		umount-all
		part-init /dev/sdc gpt
		part-add /dev/sdc p 2048 163839
		part-add /dev/sdc p 163840 -2048
		mkfs ext4 /dev/sdc1
		mkfs ext4 /dev/sdc2
		mount /dev/sdc1 /
		tar-in $tmp/tars/root.tar /
		upload $tmp/tars/two /etc/fstab
		umount-all
		mount /dev/sdc2 /
		tar-in $tmp/tars/root.tar /
		upload $tmp/tars/two /etc/fstab
	END
}
check "guestfish makes the disks" make_disks || exit
arm() {
	mmdebstrap --quiet --variant=extract --architectures=arm64 --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include=dash,base-files bookworm "$tmp/arm" >"$tmp/log" 2>&1 &&
		echo '/dev/sda1 / ext4 defaults 0 1' >"$tmp/arm/etc/fstab" && make_disk "$tmp/arm" "$tmp/arm.raw"
}

# ---- refused, side by side with what works ----

conf two "Image=$tmp/two.raw"
conf arm "Image=$tmp/arm.raw"
conf btrfs "Image=$tmp/btrfs.raw"
have_arm=
! arm || have_arm=1
others() {
	build btrfs >"$tmp/log-btrfs" 2>&1
	echo $? >"$tmp/status-btrfs"
	for name in two ${have_arm:+arm}; do
		build "$name" >"$tmp/log-$name" 2>&1
		echo $? >"$tmp/status-$name"
	done
}
others &
pid=$!

# ended NAME CODE TEXT: how that build ended.
ended() {
	cat "$tmp/log-$1"
	[ "$(cat "$tmp/status-$1")" -eq "$2" ] && { [ -z "${3:-}" ] || grep -F "mkappliance: " "$tmp/log-$1" | grep -qF -- "$3"; }
}
# has_all NAME: owners, attributes and files of every file system of the base, and only those.
in_root() { # NAME COMMAND...: debugfs's, on the image's root
	debugfs -R "${*:2}" "$tmp/out-$1/synthetic-1.0.raw?offset=$(json_get "$tmp/out-$1/synthetic-1.0.manifest.json" disk.partitions.1.offset)" 2>/dev/null
}
has_all() {
	[ "$(in_root "$1" cat /var/lib/app/state)" = state ] && in_root "$1" stat /var/lib/app/state | grep -qE 'User: +7 +Group: +8' &&
		[ "$(in_root "$1" cat /home/file)" = home ] && in_root "$1" ea_list /usr/share/empty | grep -qF '= 01 00 00 02 00 24 00 00' &&
		in_root "$1" cat /etc/fstab | grep -q 'Emptied by mkappliance' && [ -z "$(in_root "$1" cat /.snapshots/1/file)" ] &&
		[ "$(json_get "$tmp/out-$1/synthetic-1.0.manifest.json" kernel.release)" = 6.1.0-test ]
}
conf lvm "Image=$tmp/lvm.raw"
# Memory of our own process alone: libguestfs' machine is another.
lvm() {
	local builder peak=0 now
	"$mkappliance" build "$tmp/in/lvm.conf" -o "$tmp/out-lvm" --cache="$tmp/cache-lvm" >"$tmp/log-lvm" 2>&1 &
	builder=$!
	while now=$(awk '/^VmHWM:/ { print $2 }' "/proc/$builder/status" 2>/dev/null) && [ -n "$now" ]; do
		peak=$now
		sleep 0.1
	done
	wait $builder || {
		cat "$tmp/log-lvm"
		return 1
	}
	echo "peak of memory: $peak KiB"
	[ "$peak" -gt 8000 ] && [ "$peak" -lt 262144 ]
}
check "logical volumes, /boot and /var of their own; less than 256 MiB of memory" lvm
check "all of it is in the image" has_all lvm
once() { [ "$(grep -c '^  starting libguestfs' "$tmp/log-lvm")" -eq 1 ]; }
check "by one start of libguestfs" once
# What 'new' writes for it, from the layer that is in the cache.
new() {
	(cd "$tmp" && "$mkappliance" new new --source disk --image lvm.raw) &&
		sed -i "s|^CommandLine=.*|&\nStub=$tmp/in/stub.efi|" "$tmp/new/appliance.conf" &&
		"$mkappliance" build "$tmp/new" -o "$tmp/out-new" --cache="$tmp/cache-lvm" --quiet && "$mkappliance" verify "$tmp/out-new/new-1.0.0.raw" --quiet
}
check "mkappliance new --source disk builds as it stands" new

wait $pid
check "btrfs with subvolumes" ended btrfs 0
check "all of it is in the image, and no snapshot" has_all btrfs
check "two systems on one disk" ended two 1 "has several operating systems: '12.1' on /dev/sda1, '12.1' on /dev/sda2; a base has one"
check "nothing is left of it" nothing_left "$tmp/cache-two"
if [ -n "$have_arm" ]; then
	check "Debian for arm64" ended arm 2 "is for aarch64, the appliance is for x86_64 ([Appliance] Architecture=)"
	check "nothing is left of it" nothing_left "$tmp/cache-arm"
else
	check_skip "Debian for arm64" "it cannot be fetched: $(tail -n 1 "$tmp/log")"
fi
