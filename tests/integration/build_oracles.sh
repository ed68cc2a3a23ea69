#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A built image, read by programs that we did not write.
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3
requires sfdisk fdisk
requires fsck.fat dosfstools
requires mcopy mtools
requires e2fsck e2fsprogs
requires veritysetup cryptsetup-bin
requires objcopy binutils
requires cpio

synthetic_inputs "$tmp/in"
check "build" synthetic_build "$tmp/in" "$tmp/out" --sha256 || exit
image=$tmp/out/synthetic-1.0.raw
manifest=$tmp/out/synthetic-1.0.manifest.json

member() {
	json_get "$manifest" "$1"
}

# Copies a partition out of the image: extract INDEX FILE
extract() {
	dd if="$image" of="$2" bs=1M iflag=skip_bytes,count_bytes conv=sparse status=none \
		skip="$(member "disk.partitions.$1.offset")" count="$(member "disk.partitions.$1.used")"
}

# ---- what is written ----

only_these_files() {
	diff <(ls -A "$tmp/out") - <<-END
		synthetic-1.0.blocks
		synthetic-1.0.intoto.json
		synthetic-1.0.manifest.json
		synthetic-1.0.raw
		synthetic-1.0.raw.sha256
		synthetic-1.0.spdx.json
	END
}
check "six files and nothing else" only_these_files

sha256_agrees() {
	(cd "$tmp/out" && sha256sum -c --quiet synthetic-1.0.raw.sha256)
}
check "sha256sum agrees" sha256_agrees

manifest_is_valid() {
	python3 -W ignore -c 'import json, sys, jsonschema
schema = json.load(open("mkappliance/image/manifest.schema.json"))
jsonschema.Draft202012Validator(schema).validate(json.load(open(sys.argv[1])))' "$manifest"
}
if python3 -c 'import jsonschema' 2>/dev/null; then
	check "the manifest is valid" manifest_is_valid
else
	check_skip "the manifest is valid" "python3-jsonschema is not installed"
fi

blocks_agree() {
	python3 - "$image" "$manifest" "$tmp/out/synthetic-1.0.blocks" <<'PY'
import hashlib, json, struct, sys
image, manifest, blocks = open(sys.argv[1], "rb"), json.load(open(sys.argv[2])), open(sys.argv[3], "rb").read()
magic, version, size, length, count = struct.unpack_from("<8sIIQQ", blocks)
assert (magic, version, size) == (b"MKABLOCK", 1, 524288)
digests = b""
while block := image.read(size):
    digests += hashlib.sha256(block).digest()
assert digests == blocks[64:] and len(digests) == 32 * count and length == count * size
assert blocks[32:64] == hashlib.sha256(digests).digest()
assert manifest["blocks"]["sha256_linear"] == blocks[32:64].hex()
PY
}
check "the digests of the blocks are those of hashlib" blocks_agree

dont_care_is_free() {
	python3 - "$image" "$manifest" <<'PY'
import json, sys
image, manifest = open(sys.argv[1], "rb"), json.load(open(sys.argv[2]))
for r in manifest["dont_care"]:
    image.seek(r["offset"])
    assert not image.read(r["length"]).strip(b"\0"), r
PY
}
check "what nobody cares about is zero" dont_care_is_free

sparse() {
	local stored nonzero
	stored=$(($(stat -c %b "$image") * 512))
	nonzero=$(member blocks.nonzero_bytes)
	[ "$stored" -le $((nonzero + 4 * 1024 * 1024)) ] || {
		echo "$stored bytes stored, $nonzero not zero"
		return 1
	}
}
check "zeros are not stored" sparse

# ---- the disk ----

table_is_valid() {
	sfdisk --verify "$image" 2>&1 | grep -q "No errors detected"
}
check "sfdisk --verify" table_is_valid

partition_uuids() {
	local hash uuids
	hash=$(member verity.root_hash)
	uuids=$(sfdisk -J "$image" | python3 -c 'import json, sys
for p in json.load(sys.stdin)["partitiontable"]["partitions"][1:]:
    print(p["uuid"].replace("-", "").lower(), end="")')
	[ "$uuids" = "$hash" ]
}
check "the UUIDs of root and its tree are the root hash" partition_uuids

esp_is_valid() {
	dd if="$image" of="$tmp/esp" bs=1M conv=sparse status=none iflag=skip_bytes,count_bytes \
		skip="$(member disk.partitions.0.offset)" count="$(member disk.partitions.0.size)" &&
		fsck.fat -n "$tmp/esp"
}
check "fsck.fat -n" esp_is_valid

uki_in_esp() {
	mcopy -i "$tmp/esp" ::EFI/BOOT/BOOTX64.EFI "$tmp/uki" &&
		[ "$(sha256sum <"$tmp/uki" | cut -d' ' -f1)" = "$(member uki.sha256)" ]
}
check "mtools finds the UKI" uki_in_esp

uki_sections() {
	local s
	for s in linux initrd cmdline; do
		objcopy --dump-section ".$s=$tmp/$s" "$tmp/uki" "$tmp/uki.copy" || return
	done
	cmp -n "$(stat -c %s "$tmp/in/vmlinuz")" "$tmp/linux" "$tmp/in/vmlinuz" &&
		[ "$(tr -d '\0' <"$tmp/cmdline")" = "$(member kernel.command_line)" ]
}
check "objcopy finds kernel and command line in it" uki_sections

initrd_holds() {
	mkdir "$tmp/initrd.d" &&
		head -c "$(member initrd.size)" "$tmp/initrd" | (cd "$tmp/initrd.d" && cpio -idm --quiet --no-preserve-owner) &&
		cmp "$tmp/initrd.d/init" "$tmp/in/init" &&
		grep -qx "RootHash=$(member verity.root_hash)" "$tmp/initrd.d/appliance.conf" &&
		diff <(ls -A "$tmp/initrd.d") <(printf '%s\n' appliance.conf init modules)
}
check "cpio unpacks the initrd: init, modules and the root hash" initrd_holds

# ---- the root ----

extract 1 "$tmp/root"
extract 2 "$tmp/verity"

root_is_valid() {
	e2fsck -fn "$tmp/root"
}
check "e2fsck -fn" root_is_valid

verity_verifies() {
	veritysetup verify "$tmp/root" "$tmp/verity" "$(member verity.root_hash)"
}
check "veritysetup verify" verity_verifies

verity_superblock() {
	local dump
	dump=$(veritysetup dump "$tmp/verity") &&
		grep -q "^Data blocks:[[:space:]]*$(member verity.data_blocks)$" <<<"$dump" &&
		grep -q "^Salt:[[:space:]]*$(member verity.salt)$" <<<"$dump" &&
		grep -q "^UUID:[[:space:]]*$(member verity.uuid)$" <<<"$dump"
}
check "veritysetup dump" verity_superblock

verity_refuses() {
	cp --sparse=always "$tmp/root" "$tmp/root.bad" &&
		printf 'XXXX' | dd of="$tmp/root.bad" bs=1 seek=$(($(stat -c %s "$tmp/root") / 2)) conv=notrunc status=none &&
		! veritysetup verify "$tmp/root.bad" "$tmp/verity" "$(member verity.root_hash)"
}
check "veritysetup refuses four other bytes" verity_refuses

same_content() {
	mkdir "$tmp/dump" &&
		debugfs -R "rdump /usr /srv /etc $tmp/dump" "$tmp/root" 2>/dev/null &&
		diff -r "$tmp/in/base/usr" "$tmp/dump/usr" &&
		diff "$tmp/in/base/etc/passwd" "$tmp/dump/etc/passwd" &&
		diff -r -x page "$tmp/in/base/srv" "$tmp/dump/srv" &&
		cmp "$tmp/in/page" "$tmp/dump/srv/page" &&
		debugfs -R "stat /srv/page" "$tmp/root" 2>/dev/null | tr '\n' ' ' | grep -q 'Mode:  0640 .*User:  1000   Group:  1000'
}
check "debugfs reads every file back" same_content

dissects() {
	systemd-dissect --json=short "$image" | python3 -c 'import json, sys
found = {m["designator"]: m for m in json.load(sys.stdin)["mounts"]}
assert found["root"]["verity"] in ("yes", "data", True, "external", "signed") or found["root"].get("verity"), found["root"]'
}
dissect_error=$(systemd-dissect --json=short "$image" 2>&1 >/dev/null) && dissect_error=
if ! command -v systemd-dissect >/dev/null; then
	check_skip "systemd-dissect" "not installed (apt-get install systemd-container)"
elif [ -n "$dissect_error" ]; then
	check_skip "systemd-dissect" "not on this machine: ${dissect_error##*$'\n'}"
else
	check "systemd-dissect" dissects
fi
