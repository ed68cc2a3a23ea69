#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A group on a libvirt that others use too: a system's libvirtd, whose machines run as its own user and outlive our processes.
. "$(dirname "$0")/functions.sh"
requires qemu-system-x86_64 qemu-system-x86
requires virsh libvirt-clients
requires curl
[ -x /usr/sbin/libvirtd ] || requires libvirtd libvirt-daemon-system
[ -x /usr/sbin/haproxy ] || requires haproxy
[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || skip "no UEFI firmware (apt-get install ovmf)"
[ "$(id -u)" -eq 0 ] || skip "a libvirtd of the test's own needs root"
can_sandbox || skip "no mount name space here"
. tests/integration/libvirtd.sh

export TMPDIR=$tmp XDG_STATE_HOME=$tmp
group=d$$
end_group() { timeout 60 "$mkappliance" deploy --group "$group" --destroy --quiet 2>/dev/null; }
domains() { virsh -c "$libvirt_uri" list --all --name | sed '/^$/d' | sort | paste -sd' '; }
build() {
	mkdir -p "$tmp/$1"
	sed -e "s|\.\./\.\./build/hello|$(realpath build/hello)|" -e "s/1\.0\.0/$1/" templates/hello/appliance.conf >"$tmp/$1/appliance.conf"
	"$mkappliance" build "$tmp/$1" -o "$tmp/out" --quiet
}
both_built() { build 1.0 && build 2.0; }
check "the images" both_built || exit
libvirtd_start || {
	echo "not ok a libvirtd of the test's own"
	exit 1
}
at_exit end_group

deploy() { "$mkappliance" deploy "$@" --group "$group" --checkpoint 1 --bake 1 --warmup 150; }
serves() { "$mkappliance" status --group "$group" --json >"$tmp/status.json" && curl -sS --max-time 20 "$(json_get "$tmp/status.json" url)" | grep -q "hello from hello $1"; }
starts() { deploy "$tmp/out/hello-1.0.raw" --size 1 --memory 192 --connect "$libvirt_uri" && serves 1.0; }
check "a group in it" starts || cat "$libvirtd_dir/log"
as_its_user() { pgrep -u libvirt-qemu -f "qemu-system.*guest=mkappliance-$group-i1," && [ "$(domains)" = "mkappliance-$group-i1" ]; }
check "a domain of its user, by a name of the group's" as_its_user
moves() { deploy "$tmp/out/hello-2.0.raw" && serves 2.0 && [ "$(domains)" = "mkappliance-$group-i2" ]; }
check "another version" moves
# Not only the keeper: nobody of ours is there.
survives() {
	pkill -9 -f "deploy --group $group --to libvirt --foreground" && serves 2.0 && deploy --size 1 && serves 2.0 && [ "$(domains)" = "mkappliance-$group-i2" ]
}
check "goes on without a keeper, and is found again" survives
ends() { "$mkappliance" deploy --group "$group" --destroy && [ -z "$(domains)" ]; }
check "destroyed: no domain is left" ends

# Another user of this host is at the console's socket before qemu is, and speaks for the machine.
stranger() {
	setpriv --reuid=65534 --regid=65534 --clear-groups timeout 120 python3 -c 'import glob, socket, sys, time
while True:
    for path in glob.glob(sys.argv[1] + "/mkappliance-vm.*"):
        s = socket.socket(socket.AF_UNIX)
        if s.connect_ex(path + "/m1/serial") == 0:
            s.sendall(b"mkappliance: {\"event\": \"panic\"}\n")
            sys.exit()
    time.sleep(0.005)' "$tmp"
}
is_turned_away() {
	local status=0 pid
	stranger &
	pid=$!
	"$mkappliance" test "$tmp/out/hello-1.0.raw" --connect "$libvirt_uri" >"$tmp/said" 2>&1 || status=$?
	cat "$tmp/said"
	wait $pid && [ $status -eq 0 ] && grep -q "user 65534 wanted to be the console of the virtual machine: turned away" "$tmp/said"
}
check "another user who takes the console's socket is turned away, and the test goes on" is_turned_away
