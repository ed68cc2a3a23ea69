#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The init's network without a VM: its own code at one end of a cable, dnsmasq and servers that lose, repeat, lie and vanish at
# the other (network_cases.py), each case in network namespaces of its own.
. "$(dirname "$0")/functions.sh"
requires unshare util-linux
requires nsenter util-linux
requires ip iproute2
requires dnsmasq dnsmasq-base
requires python3

build=$(dirname "$mkappliance")
program=$build/host/firstboot_network
[ -x "$program" ] || skip "$program is not built (make tests)"
unshare --net --mount --pid --fork --mount-proc sh -c \
	'mount -t tmpfs none /run && ip link add va type veth peer name vb && mount -t sysfs none /sys' 2>/dev/null ||
	skip "this machine does not let us make network namespaces with cables (needs root)"

cases=(renewal lost duplicate malformed hostile refused expiry flood routes static two dnsmasq ipv6 no_ipv6)
run_case() {
	unshare --net --mount --pid --fork --kill-child --mount-proc \
		python3 tests/integration/network_cases.py "$program" "$1" >"$tmp/$1.log" 2>&1
}

# Most of their time they wait for leases to end: all at once, but for the one that takes a processor for itself.
for name in "${cases[@]}"; do
	[ "$name" = flood ] || run_case "$name" &
done
wait
run_case flood
for name in "${cases[@]}"; do
	cat "$tmp/$name.log"
	grep -q '^ok ' "$tmp/$name.log" || failed=1
	grep -qE '^(ok|not ok) ' "$tmp/$name.log" || echo "not ok network: case $name ended without a word"
done
