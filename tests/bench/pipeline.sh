#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The same disk by a shell pipeline, as fast as the common tools allow: what scripts/bench compares with.
#
#   pipeline.sh TREE DISK ROOT_KIB INODES KERNEL INITRD STUB
#
# Nothing is written twice. ROOT_KIB and INODES are given, so the tree is not walked to measure it. veritysetup wants its data
# at byte 0 of a file, so root and hash tree are made there, and the room for table and ESP is inserted in front of them afterwards
# (fallocate --insert-range: ext4 and XFS move extents, not bytes). A loop device with an offset would need root and is slower.
set -euo pipefail

tree=$1 disk=$2 root_kib=$3 inodes=$4 kernel=$5 initrd=$6 stub=$7

esp_mib=64
front_mib=$((1 + esp_mib))
root_mib=$((root_kib / 1024))
hash_mib=$((root_mib / 100 + 2))
total_mib=$((front_mib + root_mib + hash_mib + 1))
efi=$disk.efi
trap 'rm -f "$efi"' EXIT

rm -f "$disk"
truncate -s $((root_mib + hash_mib))M "$disk"
mke2fs -q -F -t ext4 -b 4096 -I 256 -m 0 -N "$inodes" -O ^has_journal \
	-E lazy_itable_init=1,nodiscard,hash_seed=6c1c1a2e-6f2c-4a8e-9d8f-0123456789ab \
	-U 6c1c1a2e-6f2c-4a8e-9d8f-0123456789ab -d "$tree" "$disk" $((root_mib * 1024))k
root_hash=$(veritysetup format --hash=sha256 --data-block-size=4096 --hash-block-size=4096 \
	--data-blocks=$((root_mib * 256)) --hash-offset=$((root_mib * 1024 * 1024)) \
	--uuid=6c1c1a2e-6f2c-4a8e-9d8f-0123456789ab \
	--salt=0000000000000000000000000000000000000000000000000000000000000001 "$disk" "$disk" |
	awk '/^Root hash:/ {print $3}')
fallocate --insert-range --offset 0 --length ${front_mib}M "$disk"
truncate -s ${total_mib}M "$disk"

sfdisk --quiet --wipe never --wipe-partitions never "$disk" <<TABLE
label: gpt
start=1MiB, size=${esp_mib}MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=esp
start=${front_mib}MiB, size=${root_mib}MiB, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, name=root
start=$((front_mib + root_mib))MiB, size=${hash_mib}MiB, type=2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5, name=root-verity
TABLE

objcopy \
	--add-section .osrel=/etc/os-release --change-section-vma .osrel=0x14e000000 \
	--add-section .cmdline=<(printf 'console=ttyS0 roothash=%s' "$root_hash") --change-section-vma .cmdline=0x14e010000 \
	--add-section .linux="$kernel" --change-section-vma .linux=0x150000000 \
	--add-section .initrd="$initrd" --change-section-vma .initrd=0x160000000 \
	"$stub" "$efi"
mformat -i "$disk@@1M" -F -T $((esp_mib * 2048)) -h 64 -s 32 -c 1 ::
mmd -i "$disk@@1M" ::/EFI ::/EFI/BOOT
mcopy -i "$disk@@1M" "$efi" ::/EFI/BOOT/BOOTX64.EFI
