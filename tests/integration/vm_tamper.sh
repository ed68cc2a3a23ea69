#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The refusal matrix on templates/hello: every alteration ends as it must, and the report says so.
# Takes: 90 s
. "$(dirname "$0")/functions.sh"
requires qemu-system-x86_64 qemu-system-x86
requires python3
[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || skip "no UEFI firmware (apt-get install ovmf)"

export TMPDIR=$tmp
# The partitions of a foreign disk are waited for; ten seconds are enough.
cp -r templates/hello "$tmp/hello"
sed -i -e "s|\.\./\.\./build/hello|$PWD/build/hello|" -e 's|^OnCorruption=.*|&\nDeviceTimeout=10|' "$tmp/hello/appliance.conf"
if ! "$mkappliance" build "$tmp/hello" -o "$tmp/built" --quiet; then
	echo "not ok templates/hello builds"
	exit 1
fi
image=$(echo "$tmp"/built/*.raw)

tampers() { "$mkappliance" test "$image" --tamper --json --junit "$tmp/junit.xml" >"$tmp/tamper.json"; }
check "test --tamper passes" tampers

# verdict CASE EXPECTED SEEN REASON
verdict() {
	python3 - "$tmp/tamper.json" "$@" <<-'PY'
		import json, sys
		case = {c["case"]: c for c in json.load(open(sys.argv[1]))["tamper"]}[sys.argv[2]]
		print(case)
		assert case["ok"] is True
		assert [case["expected"], case["seen"]] == sys.argv[3:5]
		assert sys.argv[5] in case["detail"]
	PY
}
for name in program root-superblock hash-leaf hash-top swapped-blocks foreign-root root-hash; do
	check "$name is refused" verdict $name refused refused ""
done
check "foreign-disk is refused: no root" verdict foreign-disk refused refused no-root
check "truncated is refused" verdict truncated refused refused ""
check "command-line is refused" verdict command-line refused refused command-line
check "boot-entry is refused" verdict boot-entry refused refused mkappliance.foreign=1
check "verity-superblock is not believed" verdict verity-superblock runs ran ""
check "gap is not read" verdict gap runs ran ""
check "init is measured, not refused" verdict init measured ran ""
check "kernel is measured, not refused" verdict kernel measured ran ""

nothing_left() { [ -z "$(find "$tmp" -maxdepth 1 -name 'mkappliance-vm.*')" ]; }
check "no copy is left" nothing_left
