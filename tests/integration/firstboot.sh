#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The init alone, without firmware and without the tool's image half: qemu starts the host's kernel with an initrd and a disk made
# by cpio, mke2fs, veritysetup and sfdisk. Each case must end by itself, with the record that says why.
# Takes: 90 s
. "$(dirname "$0")/functions.sh"
. "$(dirname "$0")/rig.sh"
requires curl

port=$(free_port)

# Reads a file of the root again and again: what a corrupted block is seen by.
make_reader() {
	cat >"$tmp/reader.c" <<'C'
#include <fcntl.h>
#include <unistd.h>
int main(void)
{
	static char buf[65536];
	for (sleep(1);; sleep(1)) {
		int fd = open("/data", O_RDONLY);
		while (read(fd, buf, sizeof buf) > 0)
			;
		close(fd);
	}
}
C
	musl-gcc -static -Os -o "$tmp/root/usr/bin/reader" "$tmp/reader.c"
}

# Writes more than a console takes that nobody reads, and ends.
make_flood() {
	cat >"$tmp/flood.c" <<'C'
#include <unistd.h>
int main(void)
{
	static char line[] = "0123456789012345678901234567890123456789012345678901234567890123456789012345678\n";
	for (int i = 0; i < 8000; i++)
		if (write(1, line, sizeof line - 1) < 0)
			return 1;
}
C
	musl-gcc -static -Os -o "$tmp/root/usr/bin/flood" "$tmp/flood.c"
}

# As root: suspends the device under the root and reads from it. No signal ends that.
make_stuck() {
	cat >"$tmp/stuck.c" <<'C'
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void)
{
	struct dm_ioctl dm = {.version = {4}, .data_size = sizeof dm, .flags = DM_SUSPEND_FLAG, .name = "root"};
	struct stat st;
	int fd = open("/dev/mapper/control", O_RDWR), caches = open("/proc/sys/vm/drop_caches", O_WRONLY);
	if (write(caches, "3", 1) != 1 || ioctl(fd, (int)DM_DEV_SUSPEND, &dm) < 0)
		return 1;
	stat("/modules/button.ko", &st);
	return 2;
}
C
	musl-gcc -static -Os -idirafter /usr/include -idirafter "/usr/include/$(uname -m)-linux-gnu" \
		-o "$tmp/root/usr/bin/stuck" "$tmp/stuck.c"
}

# Says its arguments and its user, waits as long as the first one says, ends with the status of the second.
make_before() {
	cat >"$tmp/before.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	printf("before %s %s as %u\n", argv[1], argv[2], getuid());
	fflush(stdout);
	sleep(atoi(argv[1]));
	return argc == 3 ? atoi(argv[2]) : 99;
}
C
	musl-gcc -static -Os -o "$tmp/root/usr/bin/before" "$tmp/before.c"
}

make_tree() {
	local m
	mkdir -p "$tmp"/root/{dev,proc,sys,run,tmp,etc,usr/bin,modules} && touch "$tmp/root/etc/resolv.conf" &&
		cp build/hello "$tmp/root/usr/bin/" && make_reader && make_flood && make_before && make_stuck || return
	python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes(4000000))' >"$tmp/root/data" || return
	for m in drivers/acpi/button net/core/failover drivers/net/net_failover drivers/net/virtio_net; do
		cp "$modules/$m.ko" "$tmp/root/modules/" || return
	done
}

app_keys=(Mode=appliance Hostname=rig Network=none Service=main Uid=33 Gid=33 WorkingDirectory=/ ReadyTimeout=60 StopSignal=15 StopTimeout=3)
hello=("${app_keys[@]}" Arg=/usr/bin/hello Arg=8080 ReadyPort=8080 ReadyPath=/healthz)
impatient=("${hello[@]/ReadyTimeout=60/ReadyTimeout=2}")
reader=("${app_keys[@]}" Arg=/usr/bin/reader ReadyPort=0)
root_keys=("${app_keys[@]/%=33/=0}" Capabilities=18446744073709551615)

# flip NAME OFFSET: a copy of the disk with one byte altered.
flip() {
	cp --sparse=always "$tmp/good" "$tmp/$1" && python3 -c '
import sys
f = open(sys.argv[1], "r+b"); at = int(sys.argv[2])
f.seek(at); b = f.read(1)[0]; f.seek(at); f.write(bytes([b ^ 1]))' "$tmp/$1" "$2"
}

# The disk comes when the init waits for it already, and only then what its driver needs is loaded. What makes SHA-256 faster is not
# looked for on an emulated processor, nor is what is for a device that no machine has.
full_life() {
	local page m drivers=() disk_device=pcie-root-port,id=late
	for m in button failover net_failover virtio_net; do drivers+=("RootModule=/modules/$m.ko"); done
	initrd "$tmp/initrd" "${boot_keys[@]}" HashModule=/m/none.ko "Module=/m/none.ko pci:v0000FFFFd* nobus:*" "${hello[@]/Network=none/Network=dhcp}" "${drivers[@]}" Env=VERSION=7 || return
	machine "$tmp/good" "$tmp/initrd" "$tmp/log" -monitor "unix:$tmp/monitor,server,nowait" \
		-netdev "user,id=n,hostfwd=tcp:127.0.0.1:$port-:8080" -device virtio-net-pci,netdev=n,romfile= &
	await '^mkappliance: .*"init"' && sleep 1 && monitor "device_add virtio-blk-pci,drive=d,bus=late" &&
		await '^mkappliance: .*"ready"' && page=$(curl -sS -m 10 "http://127.0.0.1:$port/") && press_power_button
	wait $! || return
	echo "$page"
	grep -q '^hello from rig 7$' <<<"$page" && grep -q '^root: /dev/dm-0 ext4 ro' <<<"$page" &&
		await '^mkappliance: .*"stopping".*"power-button"' && await '^app: hello: stopped' &&
		await '^mkappliance: .*"stopped".*"power-button", "status": 0'
}

# A serial port that is connected to somebody who never reads.
console_stuck() {
	local peer status=0 serial="unix:$tmp/stuck-console"
	initrd "$tmp/initrd" "${boot_keys[@]}" "${app_keys[@]}" Arg=/usr/bin/flood ReadyPort=0 || return
	python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.bind(sys.argv[1]); s.listen(1); c = s.accept(); time.sleep(300)' "$tmp/stuck-console" &
	peer=$!
	comes test -S "$tmp/stuck-console"
	machine "$tmp/good" "$tmp/initrd" "$tmp/log" || status=$?
	kill $peer
	[ $status -eq 0 ] || { echo "exit code $status of the machine"; return 1; }
}

append_differs() {
	local append="$command_line init=/bin/sh"
	ends "$tmp/good" '"refused".*"command-line".*init=/bin/sh' "${boot_keys[@]}" "${hello[@]}"
}

# The first one runs as the application's user, the second as root, and may fail; then the application, which ends.
before_in_order() {
	ends "$tmp/good" '"failed".*"exited".*status 2' "${boot_keys[@]}" "${hello[@]/Arg=8080/Arg=x}" \
		Before=3 BeforeArg=/usr/bin/before BeforeArg=1 BeforeArg=0 Before=-+3 BeforeArg=/usr/bin/before BeforeArg=0 BeforeArg=7 &&
		grep -aE '^app: before|"started"' "$tmp/log" | tr -d '\r' >"$tmp/order" && cat "$tmp/order" &&
		[ "$(sed -n 1p "$tmp/order")" = "app: before 1 0 as 33" ] && [ "$(sed -n 2p "$tmp/order")" = "app: before 0 7 as 0" ] &&
		grep -q '"started"' <(sed -n 3p "$tmp/order")
}

make_copies() {
	flip data $((1048576 + block * 4096 + 9)) && flip first $((1048576 + 1024 + 120)) &&
		flip tree $((17 * 1048576 + 4096 + 8)) && flip superblock $((17 * 1048576 + 24)) &&
		flip init $((1048576 + init * 4096 + 9)) &&
		head -c 12M "$tmp/good" >"$tmp/short"
}

check "disk is made" eval "make_tree && make_disk" || exit
block=$(debugfs -R "bmap /data 500" "$tmp/root.ext4" 2>/dev/null | tail -n 1)
init=$(debugfs -R "bmap /usr/bin/reader 0" "$tmp/root.ext4" 2>/dev/null | tail -n 1)
check "altered copies of it are made" make_copies || exit
check "starts from a disk that comes late, serves, stops by the power button" full_life
check "foreign command line" append_differs
# shellcheck disable=SC2054 # qemu's own commas
qemu=(-drive "if=none,id=copy,file=$tmp/data,format=raw,readonly=on" -device virtio-blk-pci,drive=copy)
check "two disks with these PARTUUIDs" ends "$tmp/good" '"refused".*"ambiguous".*: vd[ab][12] and vd[ab][12]' "${boot_keys[@]}" "${hello[@]}"
qemu=()
check "no disk of ours" ends "$tmp/short" '"refused".*"no-root"' "${boot_keys[@]/DeviceTimeout=60/DeviceTimeout=3}" "${hello[@]}"
check "unknown key" ends "$tmp/good" '"refused".*"config".*unknown key .Shell' "${boot_keys[@]}" "${hello[@]}" Shell=/bin/sh
check "module that is not there, and a device for it is" ends "$tmp/good" '"refused".*"module".*/m/none.ko: No such file' \
	"${boot_keys[@]}" "${hello[@]}" "Module=/m/none.ko pci:v0000FFFFd* pci:v00001AF4d*"
check "module beside the others that is not there" ends "$tmp/good" '"refused".*"module".*/m/none.ko: No such file' \
	"${boot_keys[@]}" "${hello[@]}" SideModule=/m/none.ko
# Two processors: a child does a part of the start, and what goes wrong with it is told in the same words.
qemu=(-smp 2)
check "the same with two processors" ends "$tmp/good" '"refused".*"module".*/m/none.ko: No such file' \
	"${boot_keys[@]}" "${hello[@]}" FirstModule=/m/none.ko
qemu=(-smp 2 -cpu "max,tcg-cpuid=off")
check "what makes SHA-256 faster is not there, a processor that does not say it is emulated" ends "$tmp/good" \
	'"refused".*"module".*/m/none.ko: No such file' "${boot_keys[@]}" "${hello[@]}" HashModule=/m/none.ko
qemu=(-smp 2)
check "driver in the root that is not there, two processors" ends "$tmp/good" '"failed".*"module".*/modules/none.ko: No such file' \
	"${boot_keys[@]}" "${hello[@]}" RootModule=/modules/none.ko
check "altered block, Mode=system, two processors" ends "$tmp/data" "\"refused\".*\"corruption\".*\"block\": $block" \
	"${boot_keys[@]}" Mode=system Init=/usr/bin/reader
check "application that ends at once, two processors" ends "$tmp/good" '"failed".*"exited".*status 2' \
	"${boot_keys[@]}" "${hello[@]/Arg=8080/Arg=x}"
check "which it counted" grep -aqE '"started".*"processors": 2, "setup_ms"' "$tmp/log"
qemu=()
check "altered block of the ext4 superblock" ends "$tmp/first" '"refused".*"corruption".*"block": 0' "${boot_keys[@]}" "${hello[@]}"
check "altered hash tree" ends "$tmp/tree" '"refused".*"corruption".*hash tree.*"block": 1' "${boot_keys[@]}" "${hello[@]}"
check "altered block read later" ends "$tmp/data" "\"refused\".*\"corruption\".*\"block\": $block" "${boot_keys[@]}" "${reader[@]}"
check "altered block, Verify=full" ends "$tmp/data" "\"refused\".*\"corruption\".*\"block\": $block" \
	"${boot_keys[@]/lazy/full}" "${hello[@]}"
check "altered init, Mode=system" ends "$tmp/init" "\"refused\".*\"corruption\".*\"block\": $init" \
	"${boot_keys[@]}" Mode=system Init=/usr/bin/reader
check "altered program behind another one: the corruption is the reason" ends "$tmp/init" "\"refused\".*\"corruption\".*\"block\": $init" \
	"${boot_keys[@]}" "${reader[@]}" Before=3 BeforeArg=/usr/bin/before BeforeArg=0 BeforeArg=0
said_nothing_else() {
	! grep -a '"failed"' "$tmp/log"
}
check "and nothing else" said_nothing_else
check "altered block, OnCorruption=reboot" ends "$tmp/data" "block $block is corrupted" \
	"${boot_keys[@]/poweroff/reboot}" "${reader[@]}"
check "altered block, OnCorruption=panic" ends "$tmp/data" "Kernel panic" "${boot_keys[@]/poweroff/panic}" "${reader[@]}"
check "altered verity superblock is not believed" ends "$tmp/superblock" '"failed".*"timeout"' \
	"${boot_keys[@]}" "${impatient[@]/ReadyPort=8080/ReadyPort=81}"
check "application that is not there" ends "$tmp/good" '"failed".*"exec".*No such file' \
	"${boot_keys[@]}" "${hello[@]/hello/none}"
check "application that ends at once" ends "$tmp/good" '"failed".*"exited".*status 2' "${boot_keys[@]}" "${hello[@]/Arg=8080/Arg=x}"
one=(Before=3 BeforeArg=/usr/bin/before)
check "programs before the application run in their order" before_in_order
check "program before the application that fails" ends "$tmp/good" '"failed".*"exited".*/before, .*status 3' \
	"${boot_keys[@]}" "${hello[@]}" "${one[@]}" BeforeArg=0 BeforeArg=3
check "program before the application that hangs" ends "$tmp/good" '"failed".*"timeout".*/before, ' \
	"${boot_keys[@]}" "${impatient[@]}" "${one[@]}" BeforeArg=60 BeforeArg=0
check "program before the application that is not there" ends "$tmp/good" '"failed".*"exec".*/usr/bin/none' \
	"${boot_keys[@]}" "${hello[@]}" Before=1 BeforeArg=/usr/bin/none
check "Mode=system without its init" ends "$tmp/good" '"failed".*"exec".*/sbin/none' "${boot_keys[@]}" Mode=system Init=/sbin/none
check "console that nobody reads" console_stuck
check "application that SIGKILL does not end" ends "$tmp/good" '"failed".*"timeout"' "${boot_keys[@]}" \
	"${root_keys[@]/ReadyTimeout=60/ReadyTimeout=2}" Arg=/usr/bin/stuck ReadyPort=81
