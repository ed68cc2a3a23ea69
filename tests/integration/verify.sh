#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# 'verify' accepts what was built, and names the place of each kind of difference.
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3

if ! "$mkappliance" build templates/hello -o "$tmp/built" --quiet; then
	echo "not ok templates/hello builds"
	exit 1
fi
image=$(echo "$tmp"/built/*.raw)
manifest=${image%.raw}.manifest.json

part() { json_get "$manifest" "disk.partitions.$1.offset"; }
esp=$(part 0)
root=$(part 1)
verity=$(part 2)

# altered NAME OFFSET: a copy with one byte changed, and the manifest beside it.
altered() {
	mkdir -p "$tmp/$1"
	cp --sparse=always "$tmp"/built/* "$tmp/$1/"
	python3 - "$tmp/$1/$(basename "$image")" "$2" <<-'PY'
		import sys
		with open(sys.argv[1], "r+b") as f:
		    f.seek(int(sys.argv[2]))
		    byte = f.read(1)[0]
		    f.seek(int(sys.argv[2]))
		    f.write(bytes([byte ^ 1]))
	PY
	echo "$tmp/$1/$(basename "$image")"
}

# The first byte of a file's content in the root, by debugfs, which is not ours.
content_of() {
	local block
	dd if="$image" of="$tmp/root.img" bs=1M skip=$((root / 1048576)) conv=sparse status=none
	block=$(debugfs -R "blocks $1" "$tmp/root.img" 2>/dev/null | awk '{print $1}')
	echo $((root + block * 4096 + 100))
}

# says PATTERN COMMAND...: exit code 3, and the pattern on standard output or error.
says() {
	local pattern=$1 output status=0
	shift
	output=$("$@" 2>&1) || status=$?
	[ $status -eq 3 ] && grep -qE -- "$pattern" <<<"$output" && return
	echo "exit code $status, expected 3 and '$pattern' in:"
	echo "$output"
	return 1
}

json_is_refusal() {
	local status=0
	"$mkappliance" verify "$1" --json >"$tmp/report.json" 2>/dev/null || status=$?
	[ $status -eq 3 ] && [ "$(json_get "$tmp/report.json" ok)" = false ] &&
		[ "$(json_get "$tmp/report.json" first_difference.partition)" = root ] &&
		[ "$(json_get "$tmp/report.json" first_difference.owner)" = /usr/bin/hello ]
}

check "accepts what was built" "$mkappliance" verify "$image"
check "accepts it with a manifest from elsewhere" "$mkappliance" verify "$image" --manifest "$manifest" --quiet
check "one thread says the same" "$mkappliance" verify "$image" --threads 1 --quiet

hello=$(altered data "$(content_of /usr/bin/hello)")
check "data: names the file" says 'root, block [0-9]+ \(/usr/bin/hello\)' "$mkappliance" verify "$hello"
check "data: --json says so too" json_is_refusal "$hello"
check "superblock of ext4" says 'root, block 0 ' "$mkappliance" verify "$(altered ext4 $((root + 1024 + 56)))"
check "hash tree" says 'root-verity, block [0-9]+' "$mkappliance" verify "$(altered tree $((verity + 4096 + 7)))"
check "verity superblock: salt" says 'superblock +its salt' "$mkappliance" verify "$(altered salt $((verity + 88)))"
check "verity superblock: magic" says 'superblock' "$mkappliance" verify "$(altered magic "$verity")"
check "GPT header" says 'partition table' "$mkappliance" verify "$(altered gpt $((512 + 56)))"
check "GPT entry" says 'partition table' "$mkappliance" verify "$(altered entry $((1024 + 16)))"
check "backup GPT" says 'partition table' "$mkappliance" verify "$(altered backup $(($(stat -c %s "$image") - 512 + 56)))"
check "boot sector of the ESP" says 'DIFFERS +(ESP|every byte)' "$mkappliance" verify "$(altered fat $((esp + 3)))"
check "a free cluster of the ESP" says 'every byte .*esp' "$mkappliance" verify "$(altered free $((root - 5000)))"
check "kernel in the UKI" says 'DIFFERS +UKI' "$mkappliance" verify "$(altered kernel $((esp + 12 * 1048576)))"

# The name of a file is the image's, and so whoever altered it: no line of its own, nothing that a terminal obeys.
name_of_the_image() {
	local altered=$tmp/names/synthetic-1.0.raw status=0
	synthetic_inputs "$tmp/in" && printf 'content of it' >"$tmp/in/base/srv/"$'a\e[31m\nok         everything' &&
		synthetic_build "$tmp/in" "$tmp/names" --quiet && python3 - "$altered" <<-'PY' || return
			import sys
			with open(sys.argv[1], "r+b") as f:
			    at = f.read(200 << 20).index(b"content of it")
			    f.seek(at)
			    f.write(b"C")
		PY
	"$mkappliance" verify "$altered" >"$tmp/said" 2>&1 || status=$?
	[ $status -eq 3 ] && grep -qF '(/srv/a?[31m?ok         everything)' "$tmp/said" && ! grep -q $'\e' "$tmp/said" &&
		! grep -q '^ok *everything' "$tmp/said"
}
check "data: a name that would write to the terminal" name_of_the_image

# What nobody reads counts too: code of the MBR, an unused entry of the GPT, gaps, spare sectors, the second FAT, slack of
# partitions, the tail, and both ends of all that the manifest calls don't-care.
unread_places() {
	python3 - "$image" "$manifest" <<-'PY'
		import json, struct, sys
		m = json.load(open(sys.argv[2]))
		esp, root, verity = m["disk"]["partitions"]
		with open(sys.argv[1], "rb") as f:
		    f.seek(esp["offset"])
		    boot = f.read(512)
		reserved, = struct.unpack_from("<H", boot, 14)
		fat, = struct.unpack_from("<I", boot, 36)
		size = m["disk"]["size"]
		for place in [10, 440, 1024 + 128 * 100, 34 * 512, esp["offset"] - 1, esp["offset"] + 9 * 512, esp["offset"] + 6 * 512 + 100,
		              esp["offset"] + (reserved + fat) * 512 + 40, esp["offset"] + (reserved + 2 * fat) * 512 + 480,
		              root["offset"] - 1, root["offset"] + root["used"], root["offset"] + root["size"] - 1, verity["offset"] + 3000,
		              verity["offset"] + verity["used"], verity["offset"] + verity["size"], size - 33 * 512 - 1, size - 1]:
		    print(place)
		for r in m["dont_care"]:
		    print(r["offset"], r["offset"] + r["length"] - 1, sep="\n")
	PY
}

every_unread_place() {
	local place status
	for place in $(unread_places); do
		status=0
		"$mkappliance" verify "$(altered unread "$place")" --quiet 2>"$tmp/log" || status=$?
		[ $status -eq 3 ] || {
			echo "byte $place differs, and the exit code is $status"
			return 1
		}
	done
	[ -n "$place" ]
}
check "bytes that nobody reads" every_unread_place

another_build() {
	cp -r templates/hello "$tmp/other" && sed -i "s|=../../|=$PWD/|; s/^CommandLine=.*/& quiet/" "$tmp/other/appliance.conf" &&
		"$mkappliance" build "$tmp/other" -o "$tmp/other/out" --quiet &&
		says 'DIFFERS +UKI' "$mkappliance" verify "$image" --manifest "$(echo "$tmp"/other/out/*.manifest.json)"
}
check "the manifest of another build" another_build

command_line_at() {
	python3 -c '
import sys
data = open(sys.argv[1], "rb").read(int(sys.argv[2]))
print(data.index(b"console=ttyS0"))' "$image" "$root"
}
check "command line in the UKI" says 'DIFFERS +command line' "$mkappliance" verify "$(altered cmdline "$(command_line_at)")"

root_hash_at() {
	python3 -c '
import sys
data = open(sys.argv[1], "rb").read(int(sys.argv[2]))
print(data.index(b"RootHash=") + 12)' "$image" "$root"
}
check "root hash in the initrd" says 'DIFFERS +initrd +the root hash' "$mkappliance" verify "$(altered conf "$(root_hash_at)")"

truncated=$(altered truncated 0)
truncate -s -1M "$truncated"
check "truncated" says 'truncated' "$mkappliance" verify "$truncated"
longer=$(altered longer 600)
truncate -s +1M "$longer"
check "something appended" says 'appended' "$mkappliance" verify "$longer"

damaged_manifest() {
	mkdir "$tmp/damaged" && cp --sparse=always "$tmp"/built/* "$tmp/damaged/" &&
		sed -i 's/"init_mode": "appliance"/"init_mode": "system"/' "$tmp"/damaged/*.manifest.json &&
		! cmp -s "$manifest" "$tmp"/damaged/*.manifest.json &&
		fails_with 3 'hello-1.0.0.intoto.json: is of another manifest than' "$mkappliance" verify "$tmp/damaged/$(basename "$image")" &&
		rm "$tmp"/damaged/*.intoto.json && "$mkappliance" verify "$tmp/damaged/$(basename "$image")" --quiet
}
check "a manifest that was altered where no byte of the image tells" damaged_manifest

mkdir "$tmp/bare"
cp --sparse=always "$image" "$tmp/bare/"
check "no manifest" fails_with 1 'no proof without its manifest' "$mkappliance" verify "$tmp/bare/$(basename "$image")"
check "a manifest that is none" fails_with 3 'not valid JSON' "$mkappliance" verify "$image" --manifest Makefile
check "no such image" fails_with 1 'No such file' "$mkappliance" verify "$tmp/nothing.raw" --manifest "$manifest"
