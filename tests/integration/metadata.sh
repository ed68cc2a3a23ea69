#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The init's metadata without a cloud and without a VM: its own code in namespaces with a service on 169.254.169.254 that answers
# as EC2 and OpenStack do, or lies (metadata_cases.py), and an ISO of genisoimage.
. "$(dirname "$0")/functions.sh"
requires unshare util-linux
requires ip iproute2
requires genisoimage
requires hostname
requires python3

program=$(dirname "$mkappliance")/host/firstboot_metadata
[ -x "$program" ] || skip "$program is not built (make tests)"
unshare --net --uts --mount --pid --fork --mount-proc true 2>/dev/null ||
	skip "this machine does not let us make namespaces (needs root)"

mkdir "$tmp/ci"
printf 'instance-id: i-1\nlocal-hostname: iso-name\n' >"$tmp/ci/meta-data"
printf 'A=1\n' >"$tmp/ci/user-data"
check "a cidata disk" genisoimage -quiet -V cidata -r -J -o "$tmp/ci.iso" "$tmp/ci" || exit
unshare --net --uts --mount --pid --fork --kill-child --mount-proc \
	python3 tests/integration/metadata_cases.py "$program" "$tmp/ci.iso" || failed=1
