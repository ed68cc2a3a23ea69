#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The network and the metadata in machines: two interfaces in qemu's user network, one by DHCP and one with a fixed address, and a
# cidata disk; IMDSv2 at 169.254.169.254; and a machine without any interface. The cases that hurt are in network.sh and metadata.sh.
# Takes: 70 s
. "$(dirname "$0")/functions.sh"
. "$(dirname "$0")/rig.sh"
requires curl
requires genisoimage
requires python3

port=$(free_port) second_port=$(free_port)

make_tree() {
	local m
	mkdir -p "$tmp"/root/{dev,proc,sys,run,tmp,etc,usr/bin,modules} && touch "$tmp/root/etc/resolv.conf" &&
		cp build/hello "$tmp/root/usr/bin/" || return
	for m in drivers/acpi/button net/core/failover drivers/net/net_failover drivers/net/virtio_net; do
		cp "$modules/$m.ko" "$tmp/root/modules/" || return
	done
	make_disk
}


# start KEY=VALUE... -- QEMU-ARGUMENT...
start() {
	local keys=()
	while [ "$1" != -- ]; do
		keys+=("$1")
		shift
	done
	shift
	rm -f "$tmp/log"
	initrd "$tmp/initrd" "${boot_keys[@]}" Mode=appliance RootModule=/modules/button.ko RootModule=/modules/failover.ko \
		RootModule=/modules/net_failover.ko RootModule=/modules/virtio_net.ko Hostname=rig "${keys[@]}" Service=main Uid=33 Gid=33 \
		WorkingDirectory=/ Arg=/usr/bin/hello Arg=8080 ReadyPort=8080 ReadyPath=/healthz ReadyTimeout=30 StopSignal=15 StopTimeout=3 ||
		return
	machine "$tmp/good" "$tmp/initrd" "$tmp/log" -monitor "unix:$tmp/monitor,server,nowait" "$@" &
}

# stop PID: by the power button, and the machine must end well.
stop() {
	press_power_button
	wait "$1" && await '"stopped".*"power-button", "status": 0'
}

page() {
	curl -sS -m 10 --retry 5 --retry-all-errors --retry-delay 1 "http://127.0.0.1:$1/"
}

two_interfaces() {
	local first="" second="" machine
	mkdir "$tmp/ci" && printf 'instance-id: i-1\nlocal-hostname: iso-name\n' >"$tmp/ci/meta-data" &&
		printf '# of the cloud\nVERSION=seed\n' >"$tmp/ci/user-data" &&
		genisoimage -quiet -V cidata -r -J -o "$tmp/ci.iso" "$tmp/ci" &&
		start Network=dhcp Interface=eth0 Interface=eth1 "Address=eth1 10.9.0.7/24" Metadata=nocloud UserData=env -- \
			-netdev "user,id=a,hostfwd=tcp:127.0.0.1:$port-:8080" -device virtio-net-pci,netdev=a,romfile= \
			-netdev "user,id=b,net=10.9.0.0/24,hostfwd=tcp:127.0.0.1:$second_port-10.9.0.7:8080" \
			-device virtio-net-pci,netdev=b,romfile= \
			-drive "if=none,id=ci,file=$tmp/ci.iso,format=raw,readonly=on" -device virtio-blk-pci,drive=ci || return
	machine=$!
	await '"ready"' && first=$(page "$port") && second=$(page "$second_port")
	stop $machine || return
	echo "$first; $second"
	[ "$(grep -c '^hello from iso-name seed$' <<<"$first"$'\n'"$second")" = 2 ] &&
		await '"network".*"eth0", "state": "up", "address": "10.0.2.15/24"' &&
		await '"network".*"eth1", "state": "up", "address": "10.9.0.7/24"'
}

of_ec2() {
	local machine said
	start Network=dhcp Metadata=aws UserData=env -- \
		-netdev "user,id=a,net=169.254.0.0/16,dhcpstart=169.254.7.7,hostfwd=tcp:127.0.0.1:$port-169.254.7.7:8080,guestfwd=tcp:169.254.169.254:80-cmd:python3 tests/integration/imds.py $tmp/asked" \
		-device virtio-net-pci,netdev=a,romfile= || return
	machine=$!
	await '"ready"' && said=$(page "$port")
	stop $machine || return
	echo "$said"
	cat "$tmp/asked"
	grep -q '^hello from ip-10-0-0-9.ec2.internal cloud$' <<<"$said" && grep -q '^PUT /latest/api/token 200' "$tmp/asked" &&
		grep -q '^GET /latest/user-data 200' "$tmp/asked" && ! grep -q 401 "$tmp/asked"
}

no_interface() {
	start Network=dhcp -- && wait $! && await '"failed".*"network".*no Ethernet interface' && await 'Power down'
}

check "disk is made" make_tree || exit
check "two interfaces, DHCP and a fixed address; name and variables from a cidata disk" two_interfaces
check "name and variables by IMDSv2" of_ec2
check "no interface at all" no_interface
