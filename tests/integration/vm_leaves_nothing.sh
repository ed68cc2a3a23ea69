#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# However a run with a virtual machine ends, neither qemu nor a directory stays: Ctrl-C, twice, SIGTERM, SIGKILL, keeper killed too.
. "$(dirname "$0")/functions.sh"
requires qemu-system-x86_64 qemu-system-x86
requires pgrep procps
[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || skip "no UEFI firmware (apt-get install ovmf)"

export TMPDIR=$tmp
if ! "$mkappliance" build templates/hello -o "$tmp/built" --quiet; then
	echo "not ok templates/hello builds"
	exit 1
fi
image=$(echo "$tmp"/built/*.raw)

machines() { pgrep -f "qemu-system.*$tmp/mkappliance-vm" || true; }
directories() { find "$tmp" -maxdepth 1 -name 'mkappliance-vm.*'; }

# Waits until a command says nothing.
is_empty() { [ -z "$("$@")" ]; }
becomes_empty() {
	! comes is_empty "$@" || return 0
	echo "still there: $("$@")"
	return 1
}
nothing_left() { becomes_empty machines && becomes_empty directories; }

one_runs() { [ -n "$(machines)" ]; }
# Starts one in the background ($pid) and waits until its qemu runs.
start() {
	"$mkappliance" "$@" "$image" --quiet >"$tmp/out" 2>&1 &
	pid=$!
	! comes one_runs || return 0
	echo "no machine: $(cat "$tmp/out")"
	return 1
}

# ends_with CODE: of $pid
ends_with() {
	local status=0
	wait "$pid" || status=$?
	[ $status -eq "$1" ] || { echo "exit code $status: $(cat "$tmp/out")"; return 1; }
}

interrupted() { start test && kill -INT $pid && ends_with 130 && nothing_left; }
check "test, Ctrl-C" interrupted

twice() { start boot && kill -INT $pid && sleep 1 && kill -INT $pid && ends_with 130 && nothing_left; }
check "boot, Ctrl-C twice before the guest listens" twice

terminated() { start test && kill -TERM $pid && ends_with 143 && nothing_left; }
check "test, SIGTERM" terminated

two_run() { [ "$(machines | wc -l)" -ge 2 ]; }
tampering() {
	start test --tamper && comes two_run || return
	kill -INT $pid && ends_with 130 && nothing_left
}
check "test --tamper, Ctrl-C with two machines" tampering

killed() { start test && kill -KILL $pid && ends_with 137 && nothing_left; }
check "test, SIGKILL" killed

# A qemu whose other end goes while it starts ends by itself: one that stays has computed for a second (proc(5): stat, fields 14 and 15).
computes() { [ "$(awk '{ print $14 + $15 }' "/proc/$(machines | head -n 1)/stat")" -gt "$(getconf CLK_TCK)" ]; }

# Nobody is left to clean up until the next run does.
keeper_killed() {
	start test && comes computes || return
	kill -KILL "$(pgrep -P $pid)" && kill -KILL $pid && ends_with 137
	if [ -z "$(machines)" ] || [ -z "$(directories)" ]; then
		echo "nothing was left"
		return 1
	fi
	"$mkappliance" test "$image" --quiet >/dev/null && nothing_left
}
check "test and its keeper, SIGKILL; the next run cleans up" keeper_killed
