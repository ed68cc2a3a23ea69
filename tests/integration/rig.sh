# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # $tmp is set by functions.sh
#
# Machines without firmware and without the tool's image half, sourced by tests of the init behind functions.sh: qemu starts the
# host's kernel with an initrd and a disk made by cpio, mke2fs, veritysetup and sfdisk of the tree in $tmp/root.

requires qemu-system-x86_64 qemu-system-x86
requires mke2fs e2fsprogs
requires debugfs e2fsprogs
requires veritysetup cryptsetup-bin
requires sfdisk fdisk
requires cpio
requires musl-gcc musl-tools
[ "$(uname -m)" = x86_64 ] || skip "the host is not x86_64"
kernel=$(find /boot -name 'vmlinuz-*-cloud-amd64' -readable | sort -V | tail -n 1)
[ -n "$kernel" ] || skip "no Debian cloud kernel in /boot (apt-get install linux-image-cloud-amd64)"
modules=/lib/modules/${kernel#/boot/vmlinuz-}/kernel
command_line="console=ttyS0 quiet panic=-1"

# 1 MiB, root of 16 MiB, hash tree of 4 MiB, 3 MiB.
make_disk() {
	local hash salt root_uuid verity_uuid uuid='\1-\2-\3-\4-\5'
	salt=$(printf 'ab%.0s' {1..32})
	truncate -s 16M "$tmp/root.ext4" && mke2fs -q -t ext4 -O ^has_journal -b 4096 -d "$tmp/root" "$tmp/root.ext4" &&
		hash=$(veritysetup format --salt="$salt" "$tmp/root.ext4" "$tmp/hash" | awk '/Root hash/ { print $3 }') || return
	root_uuid=$(sed -E "s/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/$uuid/" <<<"$hash")
	verity_uuid=$(sed -E "s/.*(.{8})(.{4})(.{4})(.{4})(.{12})$/$uuid/" <<<"$hash")
	truncate -s 24M "$tmp/good" && sfdisk -q "$tmp/good" <<-END || return
		label: gpt
		start=2048, size=32768, uuid=$root_uuid
		start=34816, size=8192, uuid=$verity_uuid
	END
	dd if="$tmp/root.ext4" of="$tmp/good" bs=1M seek=1 conv=notrunc status=none &&
		dd if="$tmp/hash" of="$tmp/good" bs=1M seek=17 conv=notrunc status=none || return
	printf '%s\n' Format=1 Name=rig Version=1 "RootHash=$hash" "Salt=$salt" DataBlocks=4096 HashStart=1 \
		"Root=$root_uuid" "Verity=$verity_uuid" "CommandLine=$command_line" >"$tmp/common"
}

# initrd FILE KEY=VALUE...: the configuration is the common one and these lines.
initrd() {
	local out=$1 dir m key devices disk="pci:v00001AF4d00001001sv* pci:v00001AF4d00001042sv*"
	shift
	dir=$(mktemp -d "$tmp/initrd.XXXXXX") && mkdir "$dir/m" && cp build/mkappliance-init "$dir/init" || return
	{ cat "$tmp/common" && printf '%s\n' "$@"; } >"$dir/appliance.conf" || return
	for m in virtio/virtio_ring virtio/virtio virtio/virtio_pci_modern_dev virtio/virtio_pci_legacy_dev virtio/virtio_pci \
		block/virtio_blk md/dm-mod md/dm-bufio ../lib/reed_solomon/reed_solomon md/dm-verity; do
		case $m in
		*_dev) key=FirstModule ;;
		*/virtio_pci | block/*) key=LastModule ;;
		*/virtio*) key=Module ;;
		*) key=SideModule ;;
		esac
		# As the builder has it: what is for a virtio disk only where there is one.
		case $m in
		block/*) devices=" virtio:d00000002v*" ;;
		virtio/*) devices=" $disk virtio:d00000002v*" ;;
		*) devices="" ;;
		esac
		cp "$modules/drivers/$m.ko" "$dir/m/" && echo "$key=/m/${m##*/}.ko$devices" >>"$dir/appliance.conf" || return
	done
	(cd "$dir" && find . -mindepth 1 -printf '%P\n' | sort | cpio -o -H newc --quiet) >"$out"
}

# machine DISK INITRD LOG [QEMU-ARGUMENT...]; $disk_device is what the disk is plugged into, when it is not just there.
machine() {
	local disk=$1 initrd=$2 log=$3
	shift 3
	timeout 240 qemu-system-x86_64 -machine q35,accel=tcg -cpu max -m 256 -nodefaults -no-user-config -display none -no-reboot \
		-kernel "$kernel" -initrd "$initrd" -append "${append:-$command_line}" -serial "${serial:-file:$log}" \
		-drive "if=none,id=d,file=$disk,format=raw,readonly=on" -device "${disk_device:-virtio-blk-pci,drive=d}" "$@" </dev/null
}

# shellcheck disable=SC2034 # of the tests
boot_keys=(DeviceTimeout=60 OnCorruption=poweroff Verify=lazy)
qemu=() # more arguments
# ends DISK EXPECTED KEY=VALUE...: the machine goes off by itself, after a line that matches.
ends() {
	local disk=$1 expected=$2
	shift 2
	rm -f "$tmp/log"
	initrd "$tmp/initrd" "$@" && machine "$disk" "$tmp/initrd" "$tmp/log" "${qemu[@]}" && grep -aqE "$expected" "$tmp/log" && return
	echo "expected: $expected"
	tail -n 5 "$tmp/log"
	return 1
}

# Waits until the log has a line that matches.
logged() { grep -aqE "$1" "$tmp/log" 2>/dev/null; }
await() {
	! comes logged "$1" || return 0
	echo "did not come: $1"
	tail -n 5 "$tmp/log"
	return 1
}

# monitor COMMAND: to qemu's monitor in $tmp/monitor.
monitor() {
	python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(sys.argv[2].encode() + b"\n"); time.sleep(0.5)' "$tmp/monitor" "$1"
}

press_power_button() {
	monitor system_powerdown
}
