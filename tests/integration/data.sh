#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The data volume, in a VM: it is formatted when it is blank and the template says so, it survives, and nothing else is ever written
# to: disks that hold something else, of each kind, made by its own tool where Debian has one, lie beside it in each boot.
# Takes: 100 s
. "$(dirname "$0")/functions.sh"
requires mkfs.xfs xfsprogs
requires mkfs.btrfs btrfs-progs
requires mkfs.ntfs ntfs-3g
requires mkfs.vfat dosfstools
requires cryptsetup cryptsetup-bin
requires make-bcache bcache-tools
requires genisoimage
requires mksquashfs squashfs-tools
requires sfdisk fdisk
requires blkid util-linux
requires musl-gcc musl-tools
requires qemu-system-x86_64 qemu-system-x86
kernel=$(find /boot -name 'vmlinuz-*-cloud-amd64' -readable | sort -V | tail -n 1)
[ -n "$kernel" ] || skip "no Debian cloud kernel in /boot (apt-get install linux-image-cloud-amd64)"

build=$(dirname "$mkappliance")
look=$build/host/firstboot_blank
[ -x "$look" ] || skip "$look is not built (make tests)"
disks=$tmp/disks
mkdir "$disks"

# What no program here makes: the labels of LVM, md and ZFS.
make_labels() { # DIRECTORY
	python3 - "$1" <<'PY'
import os, struct, sys, zlib

top = sys.argv[1]


def write(name, size, *parts):
    with open(os.path.join(top, name), "wb") as f:
        f.truncate(size)
        for offset, data in parts:
            f.seek(offset)
            f.write(data)


MIB = 1 << 20


def lvm_crc(data):
    crc = 0xF597A6CF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
    return crc


# LVM2 label: "LABELONE", sector, crc of what follows to the sector's end, offset of the header, type, then the uuid.
rest = struct.pack("<I8s", 32, b"LVM2 001") + b"abcdefghijklmnopqrstuvwxyz012345" + struct.pack("<QQQQQ", 64 * MIB, MIB, 0, 0, 0)
rest = rest.ljust(512 - 20, b"\0")
write("lvm", 64 * MIB, (512, struct.pack("<8sQI", b"LABELONE", 1, lvm_crc(rest)) + rest))

# md RAID 1.2: version 1 super block of 256 bytes without devices behind it.
sb = bytearray(256)
struct.pack_into("<III", sb, 0, 0xA92B4EFC, 1, 0)
sb[16:32] = bytes(range(16))
struct.pack_into("<Q", sb, 144, 8)  # where it lies, in sectors
total = sum(struct.unpack("<64I", sb))
struct.pack_into("<I", sb, 216, (total & 0xFFFFFFFF) + (total >> 32))
write("md", 64 * MIB, (4096, bytes(sb)))

# ZFS: uberblocks in all four labels.
ub = struct.pack("<QQQQQ", 0x00BAB10C, 5000, 1, 1, 1600000000)
ring = b"".join(ub.ljust(1024, b"\0") for _ in range(8))
write("zfs", 64 * MIB, *[(at + 128 * 1024, ring) for at in (0, 262144, 64 * MIB - 524288, 64 * MIB - 262144)])
PY
}

# One disk a kind, and each of ext4 and GPT once more with its first MiB wiped.
make_disks() {
	local d=$disks
	truncate -s 64M "$d"/{gpt,mbr,ext4,luks1,luks2,swap,ntfs,fat16,fat32,bcache} && truncate -s 10M "$d/fat12" &&
		truncate -s 320M "$d/xfs" && truncate -s 128M "$d/btrfs" &&
		echo ',,' | sfdisk -q -X gpt "$d/gpt" && echo ',,' | sfdisk -q -X dos "$d/mbr" &&
		mke2fs -q -t ext4 -L other "$d/ext4" && mkfs.xfs -q "$d/xfs" && mkfs.btrfs -q "$d/btrfs" && mkswap -q "$d/swap" &&
		mkfs.ntfs -q -F "$d/ntfs" && mkfs.vfat -F 12 "$d/fat12" && mkfs.vfat -F 16 "$d/fat16" && mkfs.vfat -F 32 "$d/fat32" &&
		make-bcache -B "$d/bcache" || return
	for v in 1 2; do
		echo secret | cryptsetup -q luksFormat --type luks$v --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$d/luks$v" - || return
	done
	mkdir "$tmp/content" && echo content >"$tmp/content/file" &&
		genisoimage -quiet -o "$d/iso9660" "$tmp/content" && mksquashfs "$tmp/content" "$d/squashfs" -quiet >/dev/null &&
		truncate -s 16M "$d/iso9660" "$d/squashfs" || return
	make_labels "$d" || return
	for v in ext4 gpt; do
		cp --sparse=always "$d/$v" "$d/wiped-$v" && dd if=/dev/zero of="$d/wiped-$v" bs=1M count=1 conv=notrunc status=none || return
	done
	# Only in the middle: neither the first nor the last MiB tells.
	truncate -s 64M "$d/middle" && printf data | dd of="$d/middle" bs=1M seek=32 conv=notrunc status=none
}

# Each is not blank for us, and what the world says it is (the wiped ones it does not know at all).
kinds_are_known() {
	local d=$disks name said type
	for name in gpt:gpt mbr:dos ext4:ext4 xfs:xfs btrfs:btrfs swap:swap ntfs:ntfs fat12:vfat fat16:vfat fat32:vfat bcache:bcache \
		luks1:crypto_LUKS luks2:crypto_LUKS iso9660:iso9660 squashfs:squashfs lvm:LVM2_member md:linux_raid_member zfs:zfs_member; do
		type=$(blkid -p -o export "$d/${name%:*}" | grep -E '^(TYPE|PTTYPE)=' | tr '\n' ' ')
		[[ $type == *"=${name#*:} "* ]] || {
			echo "blkid says of ${name%:*}: $type"
			return 1
		}
	done
	for name in "$d"/*; do
		said=$("$look" "$name") || return
		[ "$said" != blank ] || {
			echo "$name counts as blank"
			return 1
		}
		case ${name##*/}:$said in
		gpt:GPT* | mbr:*MBR* | ext4:ext4* | xfs:XFS* | btrfs:btrfs* | swap:swap* | ntfs:NTFS* | fat*:FAT* | bcache:bcache* | luks?:LUKS* | \
			iso9660:ISO* | squashfs:squashfs* | lvm:LVM* | md:md* | zfs:ZFS* | wiped-*:*copy* | wiped-*:*backup* | middle:data*) ;;
		*)
			echo "$name: $said"
			return 1
			;;
		esac
	done
	truncate -s 64M "$tmp/blank" && [ "$("$look" "$tmp/blank")" = blank ]
}

# Counts its starts in a file of the volume, as the user 1000.
make_template() {
	local root=$tmp/base f
	mkdir -p "$root"/{dev,proc,sys,run,tmp,etc,usr/bin,usr/sbin,var/lib/app} "$tmp/template" || return
	for f in e2fsck mke2fs; do
		cp "$(command -v $f)" "$root/usr/sbin/" || return
		ldd "$(command -v $f)" | grep -oE '/[^ ]+' | while read -r lib; do
			install -D "$lib" "$root$lib" || return
		done
	done
	cat >"$tmp/count.c" <<'C'
#include <stdio.h>
#include <sys/statfs.h>
#include <unistd.h>
int main(void)
{
	unsigned n = 0;
	FILE *f = fopen("/var/lib/app/count", "r");
	if (f) {
		if (fscanf(f, "%u", &n) != 1)
			return 1;
		fclose(f);
	}
	f = fopen("/var/lib/app/count", "w");
	if (!f || fprintf(f, "%u\n", n + 1) < 0 || fclose(f) != 0)
		return 2;
	printf("start %u\n", n + 1);
}
C
	musl-gcc -static -Os -o "$root/usr/bin/count" "$tmp/count.c" || return
	printf 'root:x:0:0::/:/bin/false\napp:x:1000:1000::/:/bin/false\n' >"$root/etc/passwd"
	printf 'root:x:0:\napp:x:1000:\n' >"$root/etc/group"
	cat >"$tmp/template/appliance.conf" <<-END
		[Appliance]
		Name=data
		Version=1
		[Base]
		Source=directory
		Path=$root
		[Kernel]
		Image=$kernel
		ModulesDirectory=/lib/modules/${kernel#/boot/vmlinuz-}
		CommandLine=console=ttyS0 quiet
		[Init]
		Exec=/usr/bin/count
		User=app
		Network=none
		DeviceTimeout=4
		[Data]
		Mount=/var/lib/app
		Label=volume
		Format=blank
	END
	"$mkappliance" build "$tmp/template" -o "$tmp/built" --quiet || return
	mkdir "$tmp/never" && sed 's/^Format=blank$/Format=none/; s/^Name=data$/Name=never/' "$tmp/template/appliance.conf" >"$tmp/never/appliance.conf" &&
		"$mkappliance" build "$tmp/never" -o "$tmp/built" --quiet
}

# boots IMAGE DISK...: what it says is in $tmp/boot.out. The disks are checked to be what they were, but for the last one.
boots() {
	local image=$tmp/built/$1-1.raw status=0 d args=()
	shift
	for d in "$@"; do
		args+=(--data "$d")
	done
	timeout -k 5 240 "$mkappliance" boot "$image" --console --timeout 200 "${args[@]}" >"$tmp/boot.out" 2>&1 || status=$?
	sha256sum --quiet -c "$tmp/sums" >>"$tmp/boot.out" 2>&1 || {
		echo "A DISK HAS BEEN CHANGED"
		grep FAILED "$tmp/boot.out"
		return 1
	}
	tail -n 12 "$tmp/boot.out"
	return $status
}

says() {
	grep -qF -- "$1" "$tmp/boot.out" || {
		echo "not said: $1"
		return 1
	}
}

others() {
	printf "$disks/%s\n" "$@"
}

# The first seven kinds; the eighth disk is the blank one.
formats_and_survives() {
	truncate -s 96M "$tmp/volume"
	mapfile -t beside < <(others gpt ext4 xfs luks1 lvm zfs wiped-ext4)
	boots data "${beside[@]}" "$tmp/volume" && says '"state": "formatted"' && says "app: start 1" && says '"device": "vdi"' || return
	mapfile -t beside < <(others mbr btrfs luks2 md swap ntfs wiped-gpt)
	boots data "${beside[@]}" "$tmp/volume" && says '"state": "clean"' && says "app: start 2" &&
		e2fsck -fn "$tmp/volume" >/dev/null && [ "$(debugfs -R 'cat count' "$tmp/volume" 2>/dev/null)" = 2 ] &&
		[[ $(debugfs -R 'stat /' "$tmp/volume" 2>/dev/null) == *"User:  1000"* ]]
}

refuses() { # IMAGE TEXT DISK...
	local text=$2
	! boots "$1" "${@:3}" && says '"reason": "data"' && says "$text" && ! grep -q "app: start" "$tmp/boot.out"
}

refuses_all_others() {
	mapfile -t beside < <(others fat12 fat16 fat32 bcache iso9660 squashfs middle ext4)
	refuses data "vdb holds FAT" "${beside[@]}" && says "vdh holds data" && says "vdi holds ext4 with another label"
}

two_blank() {
	truncate -s 64M "$tmp/one" "$tmp/two"
	refuses data "more than one disk could be the data volume 'volume'" "$tmp/one" "$tmp/two" &&
		[ "$("$look" "$tmp/one" "$tmp/two")" = $'blank\nblank' ]
}

# Never without Format=blank.
never_formats() {
	truncate -s 64M "$tmp/one"
	refuses never "and Format=blank does not say that a blank disk may be formatted" "$tmp/one" &&
		[ "$("$look" "$tmp/one")" = blank ]
}

# The label is there, but the file system is beyond what e2fsck repairs by itself.
damaged() {
	cp --sparse=always "$tmp/volume" "$tmp/damaged" &&
		dd if=/dev/urandom of="$tmp/damaged" bs=1024 seek=2 count=1 conv=notrunc status=none &&
		refuses data "e2fsck of vdb ended with" "$tmp/damaged"
}

without_e2fsprogs() {
	mkdir -p "$tmp/bare/root" && cp -r "$tmp/base/." "$tmp/bare/root" && rm "$tmp/bare/root/usr/sbin/e2fsck" &&
		sed "s|^Path=.*|Path=$tmp/bare/root|" "$tmp/template/appliance.conf" >"$tmp/bare/appliance.conf" &&
		fails_with 2 "add the package e2fsprogs to [Base] Packages=" "$mkappliance" build "$tmp/bare" -o "$tmp/bare"
}

check "disks of each kind" make_disks || exit
check "each kind is known, and only zeros are blank" kinds_are_known
check "the image" make_template || exit
(cd "$disks" && sha256sum "$disks"/*) >"$tmp/sums"
check "a root without e2fsprogs" without_e2fsprogs
check "a blank disk is formatted and survives; seven kinds beside it twice" formats_and_survives
check "eight kinds and no blank disk: nothing is formatted" refuses_all_others
check "two blank disks: neither" two_blank
check "a blank disk without Format=blank" never_formats
check "a damaged volume" damaged
