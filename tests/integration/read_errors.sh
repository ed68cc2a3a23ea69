#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A disk that fails reads: OnCorruption= counts for them as it does for a block that was altered, on a kernel that knows
# panic_on_error and restart_on_error (6.12) and on one that does not. qemu fails the reads (blkdebug); images, kernels and
# modules are real. To save time the kernel is started without the firmware, with the initrd of the image.
# Takes: 80 s
. "$(dirname "$0")/functions.sh"
. tests/integration/archive.sh

requires qemu-system-x86_64 qemu-system-x86
requires debugfs e2fsprogs
requires objcopy binutils
requires depmod kmod
requires musl-gcc musl-tools
requires mcopy mtools
[ "$(uname -m)" = x86_64 ] || skip "the host is not x86_64"
nowhere=999999999 # a sector that no disk here has

# Reads a file of the root again and again, and goes on when that fails. "reader at-once": the part behind block 896 in one read
# past the page cache, of which one request fails while the disk still owes the others.
make_base() {
	mkdir -p "$tmp"/base/{dev,proc,sys,run,tmp,var,etc,usr/bin} && cat >"$tmp/reader.c" <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	static _Alignas(4096) char buf[2 << 20];
	if (argc > 1) {
		ssize_t all = pread(open("/data", O_RDONLY | O_DIRECT), buf, sizeof buf, 896 * 4096);
		dprintf(1, "reader: %s\n", all < 0 ? strerror(errno) : "all of it");
	}
	for (usleep(300000);; sleep(1)) {
		int fd = open("/data", O_RDONLY);
		ssize_t n;
		while ((n = read(fd, buf, 65536)) > 0)
			;
		dprintf(1, "reader: %s\n", n < 0 ? strerror(errno) : "all of it");
		close(fd);
	}
}
C
	musl-gcc -static -Os -o "$tmp/base/usr/bin/reader" "$tmp/reader.c" &&
		python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes(6000000))' >"$tmp/base/data"
}

# image NAME KERNEL MODULES POLICY [LINE...]: builds $tmp/NAME.raw and takes the kernel, the initrd and the command line out of it.
image() {
	local name=$1 kernel=$2 modules=$3 policy=$4 uki=$tmp/$1.efi
	shift 4
	[ $# -gt 0 ] || set -- Mode=appliance Exec=/usr/bin/reader User=65534 Group=65534 Network=none
	{
		printf '%s\n' '[Appliance]' "Name=$name" Version=1 '[Base]' Source=directory Path=base '[Kernel]' "Image=$kernel" \
			"ModulesDirectory=$modules" "CommandLine=console=ttyS0 quiet panic=-1" '[Init]' "OnCorruption=$policy" "$@"
	} >"$tmp/$name.conf"
	"$mkappliance" build "$tmp/$name.conf" -o "$tmp" --quiet && mcopy -i "$tmp/$name-1.raw@@1M" ::/EFI/BOOT/BOOTX64.EFI "$uki" || return
	for part in linux initrd cmdline; do
		objcopy -O binary --only-section=".$part" "$uki" "$tmp/$name.$part" || return
	done
}

# Where the image NAME has block 900 of /data: its sector of the disk, its block of the root, and a sector of the block of the hash
# tree that covers it.
places() {
	python3 - "$tmp/$1-1.manifest.json" "$(debugfs -R "bmap /data 900" "$tmp/$1-1.raw?offset=$(json_get \
		"$tmp/$1-1.manifest.json" disk.partitions.1.offset)" 2>/dev/null | tail -n 1)" <<'PY'
import json, sys
partitions = json.load(open(sys.argv[1]))["disk"]["partitions"]
data = int(sys.argv[2])
leaf = 2 + data // 128  # superblock, the top block of a tree of two levels, then the leaves
print(partitions[1]["offset"] // 512 + data * 8 + 3, data, partitions[2]["offset"] // 512 + leaf * 8 + 3)
PY
}

# machine NAME SECTOR [QEMU-ARGUMENT...]: runs the image, the disk of which fails every read of that sector. Its console is $tmp/log.
# With type=pc disks can be taken out; with rate=BYTES the disk gives so many a second.
machine() {
	local name=$1 sector=$2 command_line
	shift 2
	command_line=$(tr -d '\0' <"$tmp/$name.cmdline")
	rm -f "$tmp/log"
	timeout 90 qemu-system-x86_64 -machine "${type:-q35},accel=tcg" -cpu max -m 256 -nodefaults -no-user-config -display none -no-reboot \
		-kernel "$tmp/$name.linux" -initrd "$tmp/$name.initrd" -append "$command_line" -serial "file:$tmp/log" \
		-blockdev "driver=file,node-name=file,read-only=on,filename=$tmp/$name-1.raw" \
		-blockdev "driver=blkdebug,node-name=bad,image=file,read-only=on,inject-error.0.event=none,inject-error.0.iotype=read,inject-error.0.sector=$sector,inject-error.0.errno=5" \
		-object "throttle-group,id=rate,x-bps-read=${rate:-0}" \
		-blockdev driver=throttle,node-name=disk,throttle-group=rate,file=bad,read-only=on -device virtio-blk-pci,drive=disk,id=disk0 "$@" </dev/null
}

# From the kernel's word of the first bad block to its word of the end, by the guest's clock, are less than 5 s.
in_time() {
	python3 - "$tmp/log" <<'PY'
import re, sys
said = re.findall(rb"\[ *(\d+\.\d+)\] (.*)", open(sys.argv[1], "rb").read())
bad = [float(t) for t, text in said if re.search(rb"is corrupted|I/O error", text)]
end = [float(t) for t, text in said if re.search(rb"reboot: |Kernel panic", text)]
if not bad or not end or not 0 <= end[-1] - bad[0] < 5:
    sys.exit(f"bad blocks at {bad}, ends at {end}")
print(f"ended {end[-1] - bad[0]:.3f} s later")
PY
}

# ends NAME SECTOR EXPECTED...: the machine ends by itself, in time, and each of these is a line of its console.
ends() {
	local name=$1 sector=$2 line
	shift 2
	machine "$name" "$sector" || { echo "exit code $? of the machine"; set -- 'an end'; }
	for line; do
		grep -aqE -- "$line" "$tmp/log" && continue
		echo "expected: $line"
		tail -n 8 "$tmp/log"
		return 1
	done
	in_time
}

# stuck SECTOR: the machine ends, in time, while a read of which one block is bad still waits for the rest.
stuck() {
	rate=131072 ends old-stuck "$1" "$refused.*a data block" "$off" || return
	grep -aq '^mkappliance: .*"ready"' "$tmp/log" && ! grep -a '^app: reader' "$tmp/log"
}

# The same with the byte altered instead, and no read that fails.
ends_altered() {
	local name=$1 sector=$2
	shift 2
	cp --sparse=always "$tmp/$name-1.raw" "$tmp/altered-1.raw" && cp "$tmp/$name.linux" "$tmp/altered.linux" &&
		cp "$tmp/$name.initrd" "$tmp/altered.initrd" && cp "$tmp/$name.cmdline" "$tmp/altered.cmdline" && python3 -c '
import sys
f = open(sys.argv[1], "r+b"); at = int(sys.argv[2]) * 512
f.seek(at); b = f.read(1)[0]; f.seek(at); f.write(bytes([b ^ 1]))' "$tmp/altered-1.raw" "$sector" &&
		ends altered $nowhere "$@"
}

# The disk is taken out while the machine runs.
disk_gone() {
	local name=$1
	type=pc machine "$name" $nowhere -qmp "unix:$tmp/qmp,server=on,wait=off" &
	python3 - "$tmp/qmp" "$tmp/log" <<'PY'
import json, os, socket, sys, time
def log():
    return open(sys.argv[2], "rb").read() if os.path.exists(sys.argv[2]) else b""
deadline = time.monotonic() + 60
while b'"ready"' not in log() and time.monotonic() < deadline:
    time.sleep(0.1)
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); f = s.makefile("rw")
for command in {"execute": "qmp_capabilities"}, {"execute": "device_del", "arguments": {"id": "disk0"}}:
    f.write(json.dumps(command) + "\n"); f.flush(); f.readline()
time.sleep(0.5)
PY
	wait $! || echo "exit code $? of the machine"
	grep -aq '"refused".*"read-error".*the disk of the root is gone' "$tmp/log" && return
	tail -n 8 "$tmp/log"
	return 1
}


# images PREFIX KERNEL MODULES SYSTEM-POLICY: an image of each policy, and one with Mode=system.
images() {
	image "$1-poweroff" "$2" "$3" poweroff && image "$1-reboot" "$2" "$3" reboot && image "$1-panic" "$2" "$3" panic &&
		image "$1-system" "$2" "$3" "$4" Mode=system Init=/usr/bin/reader
}

export MKAPPLIANCE_INIT=$PWD/build/mkappliance-init
refused='"refused", .*"reason": "read-error"'
off='reboot: Power down'
again='reboot: Restarting system'
panic='Kernel panic - not syncing: '
from_kernel='dm-verity device has I/O error'
cached=$PWD/build/kernel-trixie

check "a root with a program that reads" make_base || exit

if why=$(fetch_kernel "$cached" trixie 2>&1); then
	check "images with a kernel of 6.12 or later" images new "$cached/vmlinuz" "$cached"/modules/* poweroff || exit
	check "an image without a guard" image new-alone "$cached/vmlinuz" "$cached"/modules/* reboot Mode=system Init=/usr/bin/reader || exit
	read -r data block tree < <(places new-poweroff)
	check "6.12, poweroff: read error" ends new-poweroff "$data" "$refused.*a data block.*\"block\": $block" "$off"
	check "6.12, poweroff: read error in the hash tree" ends new-poweroff "$tree" "$refused.*hash tree" "$off"
	check "6.12, poweroff: altered block" ends_altered new-poweroff "$data" "\"refused\", .*\"corruption\".*\"block\": $block" "$off"
	check "6.12, poweroff: the disk is taken out" disk_gone new-poweroff
	check "6.12, poweroff, Mode=system: read error" ends new-system "$data" "$refused.*\"block\": $block" "$off"
	# The kernel ends it by itself, and the init's guard, where there is one, may be quicker.
	check "6.12, reboot, Mode=system: read error" ends new-alone "$data" "$from_kernel" "$again"
	check "6.12, reboot: read error" ends new-reboot "$data" "$from_kernel|$refused" "$again"
	check "6.12, reboot: altered block" ends_altered new-reboot "$data" "block $block is corrupted" "$again"
	check "6.12, panic: read error" ends new-panic "$data" "$from_kernel|$refused" "$panic"
	check "6.12, panic: altered block" ends_altered new-panic "$data" "block $block is corrupted" "$panic"
else
	check_skip "eleven checks with a kernel of 6.12 or later" "$why"
fi

kernel=$(find /boot -name 'vmlinuz-6.1.*-cloud-amd64' -readable | sort -V | tail -n 1)
if [ -n "$kernel" ]; then
	check "images with kernel 6.1" images old "$kernel" "/lib/modules/${kernel#/boot/vmlinuz-}" reboot || exit
	check "an image whose reader waits" image old-stuck "$kernel" "/lib/modules/${kernel#/boot/vmlinuz-}" poweroff Mode=appliance \
		"Exec=/usr/bin/reader at-once" User=65534 Group=65534 Network=none || exit
	read -r data block tree < <(places old-poweroff)
	check "6.1, poweroff: read error" ends old-poweroff "$data" "$refused.*\"block\": $block" "$off"
	check "6.1, poweroff: read error, and the application stuck in that read" stuck "$data"
	check "6.1, reboot: read error" ends old-reboot "$data" "$refused.*\"block\": $block" "$again"
	check "6.1, panic: read error" ends old-panic "$data" "$refused.*\"block\": $block" "$panic"
	check "6.1, reboot, Mode=system: read error" ends old-system "$data" "$refused.*\"block\": $block" "$again"
else
	check_skip "six checks with kernel 6.1" "it is not in /boot (apt-get install linux-image-cloud-amd64)"
fi
