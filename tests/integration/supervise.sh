#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The init as a supervisor, in machines without firmware: several services that crash, take too much or do not end, what each
# finds of its sandbox, and the planned ends. One boot has many cases; load.c is what they run.
. "$(dirname "$0")/functions.sh"
. "$(dirname "$0")/rig.sh"

make_root() {
	mkdir -p "$tmp"/root/{dev,proc,sys,run,tmp,etc,usr/bin,modules,var/log} && chmod 1777 "$tmp/root/tmp" &&
		musl-gcc -static -Os -o "$tmp/root/usr/bin/load" tests/integration/load.c &&
		cp "$modules/drivers/acpi/button.ko" "$tmp/root/modules/" &&
		printf '%s\n' '# a comment' '' 'B="two words"' "C='three'" >"$tmp/root/etc/env" &&
		printf '%s\n' '# not for a shell' 'export B=2' >"$tmp/root/etc/shell" && make_disk
}

machine_keys=(Mode=appliance Hostname=rig Network=none RootModule=/modules/button.ko HidePid=yes Lockdown=integrity
	WritableSize=20M Sysctl=-kernel.kptr_restrict=2 Sysctl=-kernel.kexec_load_disabled=1 Sysctl=-kernel.modules_disabled=1)
all_capabilities=18446744073709551615

# service NAME WHAT KEY=VALUE...: its lines; what is not said has a value that suits most.
service() {
	local name=$1 what=$2 pair keys
	shift 2
	keys=" $* "
	echo "Service=$name"
	echo Arg=/usr/bin/load
	echo "Arg=$what"
	for pair in Uid=33 Gid=33 WorkingDirectory=/ ReadyPort=0 ReadyTimeout=20 StopSignal=15 StopTimeout=2; do
		[[ $keys == *" ${pair%%=*}="* ]] || echo "$pair"
	done
	[ $# -eq 0 ] || printf '%s\n' "$@"
}

many_services() {
	service first stay
	service crash crash Restart=on-failure RestartLimit=3 RestartWindow=600
	service oom oom Restart=on-failure RestartLimit=1 RestartWindow=600 MemoryMax=8388608
	service bomb bomb TasksMax=20
	service orphans orphans
	service orphan orphan Restart=on-failure RestartLimit=1 RestartWindow=600
	service inside inside After=first Capabilities=1024 "Limit=7 100 200" Env=A=one Env=B=old EnvFile=/etc/env EnvFile=-/etc/none
	service root root Uid=0 Gid=0 "Capabilities=$all_capabilities"
	service killed forbidden "SystemCalls=deny 0 165"
	service refused forbidden "SystemCalls=deny 38 165"
	service brittle brittle ReadyFile=/tmp/brittle Restart=on-failure RestartLimit=1 RestartWindow=600 ReadyTimeout=200
	service status status
	service last stay After=first After=inside
}

# Boots it, waits for the last of what it shall say, presses the button.
run_many() {
	local lines
	mapfile -t lines < <(many_services)
	initrd "$tmp/initrd" "${boot_keys[@]}" "${machine_keys[@]}" StatusPort=9000 "${lines[@]}" || return
	machine "$tmp/good" "$tmp/initrd" "$tmp/log" -monitor "unix:$tmp/monitor,server,nowait" &
	await 'app: crash: crash 3' && await 'app: oom: oom: again' && await 'app: root: .*kptr' && await 'app: bomb: bomb' &&
		await 'app: inside: open /run/still' && await 'app: orphans: orphans: made' && await 'app: orphan: orphan: the' &&
		await 'app: killed: mount: sig' && await 'app: refused: mount: sig' && await 'forbidden".*refused' &&
		await 'app: status: status: 200' && press_power_button
	wait $!
}

said() {
	grep -aqE -- "$1" "$tmp/log" && return
	echo "did not come: $1"
	grep -aE '^(mkappliance|app)' "$tmp/log" | tail -n 15
	return 1
}

# in_order PATTERN...: each behind the one before it.
in_order() {
	local from=1 p at
	for p in "$@"; do
		at=$(tail -n "+$from" "$tmp/log" | grep -anE -m 1 -- "$p" | cut -d: -f1)
		[ -n "$at" ] || { echo "not behind the ones before it: $p"; grep -a '^mkappliance' "$tmp/log" | tail -n 30; return 1; }
		from=$((from + at))
	done
}

ended='^mkappliance: .*"ended".*'

check "disk is made" make_root || exit
check "many services run and end" run_many
check "crash: restarted with growing delays" in_order "$ended\"crash\", \"status\": 7, \"restart_ms\": 100" \
	"$ended\"crash\", \"signal\": 11, \"restart_ms\": 200" "$ended\"crash\", \"status\": 7, \"restart_ms\": 400" 'app: crash: crash 3'
check "out of memory: said and restarted" in_order "$ended\"oom\", \"signal\": 9, \"cause\": \"oom\", \"restart_ms\"" 'app: oom: oom: again'
check "fork bomb: stopped by the limit" said '^app: bomb: bomb: 19 children, Resource temporarily unavailable'
check "orphan daemon: gone before its service starts again" in_order "$ended\"orphan\", \"status\": 7" '^app: orphan: orphan: the daemon is gone'
check "status port: not ready while a service is started again" in_order '"event": "ready"' "$ended\"brittle\", \"status\": 7" \
	'^app: status: status: 200, 503, 200'
check "capabilities: the one that was said" said '^app: inside: /proc/self/status CapBnd:.0000000000000400'
check "capabilities: ambient" said '^app: inside: /proc/self/status CapAmb:.0000000000000400'
check "no_new_privs" said '^app: inside: /proc/self/status NoNewPrivs:.1'
check "limits" said '^app: inside: nofile 100:200'
check "environment: the file stands above, quotes are taken off" said '^app: inside: env A=one B=two words C=three'
check "processes of others are hidden" said '^app: inside: pid 1 is hidden'
check "root is read only" said '^app: inside: open /file: Read-only file system'
check "/tmp: nosuid, nodev, sized" said '^app: inside: /proc/mounts tmpfs /tmp tmpfs rw,nosuid,nodev,.*size=20480k'
check "/tmp full, /run is not" in_order '^app: inside: /tmp/big: No space left' '^app: inside: open /run/still: Permission denied'
check "lockdown" said '^app: root: /sys/kernel/security/lockdown: none \[integrity\] confidentiality'
check "no modules any more" said '^app: root: /proc/sys/kernel/modules_disabled: 1'
check "no kexec" said '^app: root: /proc/sys/kernel/kexec_load_disabled: 1'
check "sysctl" said '^app: root: /proc/sys/kernel/kptr_restrict: 2'
check "system call filter: killed, and said" in_order '^mkappliance: .*"forbidden".*"program": "load", .*"call": 165, "action": "killed"' \
	'app: killed: mount: signal 31'
check "system call filter: refused, and said" said '^app: refused: mount: Function not implemented'
check "system call filter: that is said too" said '^mkappliance: .*"forbidden".*"call": 165, "action": "refused"'
check "After=: in that order" in_order '"started".*"first"' '"started".*"inside"' '"started".*"last"'
check "ready when all are" in_order '"event": "up".*"last"' '"event": "ready"' '"stopping".*"power-button"' '"stopped".*"power-button"'

rss_is_small() {
	local rss
	rss=$(sed -nE 's,^app: root: /proc/1/smaps_rollup Rss:[^0-9]*([0-9]+) kB.*,\1,p' "$tmp/log")
	echo "resident: $rss KiB"
	[ -n "$rss" ] && [ "$rss" -lt 300 ]
}
check "process 1 has less than 300 KiB resident" rss_is_small
grep -a "smaps_rollup" "$tmp/log"

# ends_with LINES PATTERN...: boots those services; the machine goes off by itself, after what matches, in that order.
ends_with() {
	local lines
	mapfile -t lines <<<"$1"
	shift
	rm -f "$tmp/log"
	initrd "$tmp/initrd" "${boot_keys[@]}" "${machine_keys[@]}" "${extra[@]}" "${lines[@]}" &&
		machine "$tmp/good" "$tmp/initrd" "$tmp/log" && in_order "$@"
}

extra=(Drain=1)
check "restart limit: says so, drains, stops in order" ends_with \
	"$(service base orphans; service main 3 After=base Restart=always RestartLimit=2 RestartWindow=600)" \
	'"restart_ms": 100' '"restart_ms": 200' '"failed".*"restart-limit".*"main".*after 2 restarts' '"draining".*"restart-limit"' Power
extra=(MaxLifetime=3 Jitter=1 Drain=1)
check "lifetime: drains, stops, kills what ignores SIGTERM" ends_with "$(service main orphans)" \
	'"ready"' '"draining".*"lifetime", "seconds": 1' '"stopping".*"lifetime"' '"stopped".*"lifetime", "signal": 9'
extra=()
check "a system call that it may not make ends it" ends_with "$(service main mounts "SystemCalls=deny 0 165" ReadyPort=0)" \
	'"stopped".*"exited", "signal": 31'
check "out of memory without Restart=" ends_with "$(service main oom MemoryMax=8388608)" '"ended".*"oom"' '"failed".*"oom"'
check "an environment file that is none: which line" ends_with "$(service main stay EnvFile=-/etc/none EnvFile=/etc/shell)" \
	'"failed".*"exec".*EnvironmentFile=/etc/shell: line 2 is not NAME=value'
check "everything is killed, process 1 lives" ends_with \
	"$(service other stay Restart=always RestartLimit=3 RestartWindow=600
		service main kill-all Uid=0 Gid=0 "Capabilities=$all_capabilities")" \
	'"ended".*"other", "signal": 9' 'app: kill-all: process 1 lives|app: main: kill-all: process 1 lives|kill-all: process 1 lives' \
	'"stopped".*"exited", "status": 0'
