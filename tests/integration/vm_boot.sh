#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# 'boot' and 'test' on templates/hello: what they print, what they leave, what they say to bad input.
# Takes: 60 s
. "$(dirname "$0")/functions.sh"
requires qemu-system-x86_64 qemu-system-x86
requires curl
requires python3
[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || skip "no UEFI firmware (apt-get install ovmf)"

export TMPDIR=$tmp
if ! "$mkappliance" build templates/hello -o "$tmp/built" --quiet; then
	echo "not ok templates/hello builds"
	exit 1
fi
image=$(echo "$tmp"/built/*.raw)
manifest=${image%.raw}.manifest.json
sum=$(sha256sum <"$image")

passes() {
	"$mkappliance" test "$image" --junit "$tmp/junit.xml" --keep-console "$tmp/console.log" --json >"$tmp/test.json"
}
check "test passes" passes
check "the steps are boot, the probe and stop" python3 - "$tmp/test.json" <<-'PY'
	import json, sys
	t = json.load(open(sys.argv[1]))
	assert t["ok"] is True, t
	assert [s["step"] for s in t["steps"]] == ["boot", "GET :8080/ 200", "stop"], t
	assert 0 < t["verified_t"] <= t["ready_t"], t
PY
check "the JUnit report counts them" python3 - "$tmp/junit.xml" <<-'PY'
	import sys, xml.etree.ElementTree as x
	suite = x.parse(sys.argv[1]).getroot()
	assert suite.get("tests") == "3" and suite.get("failures") == "0" and len(suite) == 3
PY
check "the console was kept" grep -q '^mkappliance: {"event": "stopped"' "$tmp/console.log"

# changed NAME PYTHON: a manifest beside a link to the image, altered by statements on m.
changed() {
	mkdir -p "$tmp/$1"
	ln "$image" "$tmp/$1/"
	python3 - "$manifest" "$tmp/$1/$(basename "$manifest")" "$2" <<-'PY'
		import json, sys
		m = json.load(open(sys.argv[1]))
		exec(sys.argv[3])
		json.dump(m, open(sys.argv[2], "w"))
	PY
	echo "$tmp/$1/$(basename "$image")"
}

check "a wrong status fails and is said" \
	fails_with 1 "answered 200, not 418" "$mkappliance" test "$(changed status 'm["test"]["probes"][0]["status"] = 418')"
check "a body without the text fails and is said" \
	fails_with 1 'without "no such text"' "$mkappliance" test "$(changed body 'm["test"]["probes"][0]["body"] = "no such text"')"
check "a deadline is kept, and the record that did not come is named" \
	fails_with 1 "'ready' did not come in time" "$mkappliance" test "$(changed deadline 'm["test"]["timeout"] = 1')"

check "too little memory for the firmware is said at once" \
	fails_with 1 "boot: failed (firmware: " "$mkappliance" test "$(changed memory 'm["test"]["memory"] = 64')"
check "boot does not wait for firmware that has failed" \
	fails_with 1 "the appliance: failed (firmware: " "$mkappliance" boot "$tmp/memory/$(basename "$image")" --timeout 120
check "the same image on an NVMe disk with two processors, as EC2 has it" \
	"$mkappliance" test "$(changed nvme 'm["test"].update(disk="nvme", cpus=2)')"
check "a disk that there is not" \
	fails_with 3 "'disk' is 'floppy', known are virtio and nvme" "$mkappliance" test "$(changed floppy 'm["test"]["disk"] = "floppy"')"

port=$(free_port)
boots_and_serves() {
	local pid status=0 page=""
	"$mkappliance" boot "$image" --forward "$port:8080" --timeline "$tmp/boot.svg" >"$tmp/boot.out" 2>"$tmp/boot.err" &
	pid=$!
	for ((i = 0; i < 600; i++)); do
		grep -q '"event": "ready"' "$tmp/boot.out" && break
		kill -0 $pid || return 1
		sleep 0.2
	done
	page=$(curl -sS --max-time 10 "http://127.0.0.1:$port/")
	fails_with 1 "port $port of 127.0.0.1 is in use" "$mkappliance" boot "$image" --forward "$port:8080" || return 1
	kill -INT $pid
	wait $pid || status=$?
	cat "$tmp/boot.out" "$tmp/boot.err"
	[ $status -eq 0 ] && [ -n "$page" ] && grep -q '"event": "stopped"' "$tmp/boot.out" &&
		grep -q "http://127.0.0.1:$port/" "$tmp/boot.err"
}
check "boot serves its page and stops on Ctrl-C; a port in use is said" boots_and_serves

touch "$tmp/plain.raw"
check "--timeline drew it" xmllint --noout "$tmp/boot.svg"
check "with its steps" grep -q ">kernel modules<" "$tmp/boot.svg"
check "an image without a manifest" fails_with 1 "no manifest beside it" "$mkappliance" boot "$tmp/plain.raw"
cp "$manifest" "$tmp/plain.manifest.json"
check "a manifest of another image" fails_with 3 "not the image that was built" "$mkappliance" test "$tmp/plain.raw"
truncate -s 1G "$tmp/plain.raw"
check "a disk without the manifest's partition table" \
	fails_with 3 "not the one of its manifest" "$mkappliance" test "$tmp/plain.raw"
# All versions of an appliance have the disk's GUID; the partitions' are their root hash.
another_version() {
	rm "$tmp/plain.raw" && cp --sparse=always "$image" "$tmp/plain.raw" && printf 'X' | dd of="$tmp/plain.raw" bs=1 seek=$((1024 + 128 + 16)) conv=notrunc status=none &&
		fails_with 3 "another version, of that name" "$mkappliance" test "$tmp/plain.raw" && fails_with 3 "another version" "$mkappliance" boot "$tmp/plain.raw"
}
check "an image of another version under that name" another_version
for option in junit keep-console data; do
	check "test --$option: the image itself" fails_with 2 "is the image itself" "$mkappliance" test "$image" --$option "$image"
done
for option in timeline data; do
	check "boot --$option: the image itself" fails_with 2 "is the image itself" "$mkappliance" boot "$tmp/built/../built/$(basename "$image")" --$option "$image"
done
check "no such file" fails_with 1 "No such file" "$mkappliance" boot "$tmp/nothing.raw"
check "a bad --forward" fails_with 2 "not HOST:GUEST" "$mkappliance" boot "$image" --forward 80
check "--forward: a port twice" fails_with 2 "port $port of this machine is given twice" \
	"$mkappliance" boot "$image" --forward "$port:8080" --forward "$port:8081"
check "a bad --connect" fails_with 1 "libvirt (nothing:///)" "$mkappliance" boot "$image" --connect nothing:///
mkdir "$tmp/bin"
check "no qemu" fails_with 1 "apt-get install qemu-system-x86" env PATH="$tmp/bin" "$mkappliance" boot "$image"
check "an impossible machine: what qemu said" \
	fails_with 1 "starting the virtual machine" "$mkappliance" boot "$image" --cpus 100000

as_plain_user() {
	mkdir -p "$tmp/home" && chown nobody "$tmp/home" && chmod 711 "$tmp" && chmod 755 "$tmp/built" &&
		runuser -u nobody -- env HOME="$tmp/home" TMPDIR="$tmp/home" "$mkappliance" test "$image" --quiet >"$tmp/said" && [ ! -s "$tmp/said" ] &&
		[ -z "$(find "$tmp/home" -maxdepth 1 -name 'mkappliance-vm.*')" ]
}
if [ "$(id -u)" -ne 0 ]; then
	check_skip "a plain user may run it" "the other checks ran as one"
elif ! runuser -u nobody -- test -x "$mkappliance"; then
	check_skip "a plain user may run it" "nobody may not run $mkappliance"
else
	check "a plain user may run it" as_plain_user
fi

check "the image is untouched" [ "$(sha256sum <"$image")" = "$sum" ]
nothing_left() { [ -z "$(find "$tmp" -maxdepth 1 -name 'mkappliance-vm.*')" ]; }
check "no directory is left" nothing_left
