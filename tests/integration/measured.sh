#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# One byte is changed, and a real TPM (swtpm) is read: which PCRs are others then, and are they what 'pcrs' says of the changed image? Our init
# would refuse to run some of these, so process 1 of the initrd is a program that prints the PCRs and nothing else.
# Takes: 110 s
. "$(dirname "$0")/functions.sh"
requires qemu-system-x86_64 qemu-system-x86
requires musl-gcc musl-tools
requires swtpm
requires mcopy mtools
[ "$(uname -m)" = x86_64 ] || skip "the host is not x86_64"
[ -r /usr/share/OVMF/OVMF_CODE_4M.secboot.fd ] || skip "no firmware with Secure Boot (apt-get install ovmf)"

keys=$tmp/keys
"$mkappliance" keygen "$keys" --quiet
"$mkappliance" keygen "$tmp/foreign" --quiet
mkdir "$tmp/base"
musl-gcc -static -Os -o "$tmp/base/reader" tests/integration/pcr_reader.c || exit 1
# template NAME [LINE...] of [Sign]
template() {
	local name=$1
	shift
	cat >"$tmp/base/$name.conf" <<EOF
[Appliance]
Name=$name
Version=1
[Base]
Source=none
Suite=bookworm
[Files]
Copy=reader:/usr/bin/reader mode=0755
[Kernel]
Package=linux-image-cloud-amd64
CommandLine=console=ttyS0 measured
[Init]
Exec=/usr/bin/reader
Network=none
[Sign]
$(printf '%s\n' "$@")
EOF
}
build() {
	MKAPPLIANCE_INIT=$tmp/base/reader "$mkappliance" build "$tmp/base/$1.conf" -o "$tmp" --quiet
}
uki_of() {
	mcopy -o -i "$tmp/$1-1.raw@@1M" ::/EFI/BOOT/BOOTX64.EFI "$2"
}
predicted() {
	"$mkappliance" pcrs "$@" | sort
}
# The PCRs of whoever printed them to $tmp/console.
measured() {
	sed -n 's/^\(app: \)\?PCR \(sha[0-9]*:\(4\|7\|11\|12\)\) \([0-9A-F]*\).*/\2 \L\4/p' "$tmp/console" | sort
}
# The numbers of the PCRs that differ from $tmp/plain.pcrs, in both banks the same ones.
changed() {
	local in256 in384
	measured | diff "$tmp/plain.pcrs" - >"$tmp/changed"
	in256=$(sed -n 's/^> sha256:\([0-9]*\) .*/\1/p' "$tmp/changed" | sort -n | xargs)
	in384=$(sed -n 's/^> sha384:\([0-9]*\) .*/\1/p' "$tmp/changed" | sort -n | xargs)
	[ "$in256" = "$in384" ] && echo "$in256"
}
# boot NAME [OPTION...]: the machine prints its PCRs and goes off, which is not what 'boot' waits for.
boot() {
	timeout 240 "$mkappliance" boot "$tmp/$1-1.raw" --tpm --console "${@:2}" >"$tmp/console" 2>&1
	[ "$(measured | wc -l)" = 8 ] && return
	tail -n 5 "$tmp/console"
	return 1
}
# is NAME PCRS [OPTION-OF-PCRS...]: what was measured is what is predicted of the image, and differs from the unchanged one in those PCRs.
is() {
	local name=$1 pcrs=$2 got
	shift 2
	diff <(predicted "$tmp/$name-1.raw" "$@") <(measured) && got=$(changed) || return
	[ "$got" = "$pcrs" ] || { echo "changed: $got, expected: $pcrs"; return 1; }
}

template plain
check "an image whose init refuses nothing" build plain || exit
uki_of plain "$tmp/plain.efi"
predicted "$tmp/plain-1.raw" >"$tmp/plain.pcrs"

# alter NAME HOW: a copy of the image with one bit of its UKI changed: a byte that nothing looks at but who measures.
alter() {
	cp "$tmp/plain.efi" "$tmp/$1.efi" && cp --sparse=always "$tmp/plain-1.raw" "$tmp/$1-1.raw" &&
		cp "$tmp/plain-1.manifest.json" "$tmp/$1-1.manifest.json" && python3 - "$tmp/$1.efi" "$2" <<'PY' &&
import sys
path, how = sys.argv[1:]
d = bytearray(open(path, "rb").read())
pe = int.from_bytes(d[0x3c:0x40], "little")
table = pe + 24 + int.from_bytes(d[pe + 20:pe + 22], "little")
sections = {}
for i in range(int.from_bytes(d[pe + 6:pe + 8], "little")):
    s = d[table + 40 * i:table + 40 * i + 40]
    sections[s[:8].rstrip(b"\0").decode()] = int.from_bytes(s[20:24], "little")
if how == "kernel":  # the time stamp in its PE header
    at = sections[".linux"]
    at += int.from_bytes(d[at + 0x3c:at + 0x40], "little") + 8
elif how == "initrd":  # the appliance's name
    at = d.index(b"Name=plain\n", sections[".initrd"]) + 5
elif how == "command line":
    at = d.index(b"measured", sections[".cmdline"])
elif how == "stub":  # "This program cannot be run in DOS mode", or what is in its place
    at = 0x4e
d[at] ^= 1
open(path, "wb").write(d)
PY
		mcopy -o -i "$tmp/$1-1.raw@@1M" "$tmp/$1.efi" ::/EFI/BOOT/BOOTX64.EFI
}
for part in kernel initrd "command line"; do
	name=${part// /-}
	check "a byte of the $part is changed" alter "$name" "$part"
	check "the machine boots and prints" boot "$name"
	check "PCR 4 and 11 are others, and what was predicted" is "$name" "4 11"
done
check "a byte of the stub is changed" alter stub stub
check "the machine boots and prints" boot stub
check "PCR 4 alone is another" is stub 4

# ---- a command line from outside: an entry of the firmware's boot menu has options, and without Secure Boot the stub takes them ----

options="console=ttyS0 from.outside"
make_variables() {
	python3 - /usr/share/OVMF/OVMF_VARS_4M.fd "$tmp/vars.fd" "$tmp/plain-1.manifest.json" "$options" <<'PY'
import json, struct, sys, uuid
source, target, manifest, options = sys.argv[1:]
esp = json.load(open(manifest))["disk"]["partitions"][0]
utf16 = lambda s: (s + "\0").encode("utf-16-le")
file = utf16("\\EFI\\BOOT\\BOOTX64.EFI")
# UEFI 2.10, sections 3.1.3, 10.3.5.1, 10.3.5.4: the partition by its GUID, the file, the end.
path = struct.pack("<BBHIQQ", 4, 1, 42, 1, esp["offset"] // 512, esp["size"] // 512) + uuid.UUID(esp["uuid"]).bytes_le + bytes([2, 2])
path += struct.pack("<BBH", 4, 4, 4 + len(file)) + file + bytes([0x7F, 0xFF, 4, 0])
option = struct.pack("<IH", 1, len(path)) + utf16("outside") + path + utf16(options)
store = bytearray(open(source, "rb").read())
at = struct.unpack_from("<H", store, 48)[0] + 28  # behind the headers of volume and store (EDK II, VariableFormat.h)
vendor = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c").bytes_le
for name, data in ("Boot0000", option), ("BootOrder", bytes(2)):
    assert store[at:at + 2] == b"\xff\xff", "the store is not empty"
    v = struct.pack("<HBBIQ16xIII", 0x55AA, 0x3F, 0, 7, 0, 0, len(utf16(name)), len(data)) + vendor + utf16(name) + data
    store[at:at + len(v)] = v
    at += -len(v) % 4 + len(v)
open(target, "wb").write(store)
PY
}
boot_outside() {
	mkdir -p "$tmp/tpm" && swtpm socket --tpm2 --tpmstate "dir=$tmp/tpm" --ctrl "type=unixio,path=$tmp/tpm.sock" --daemon --terminate &&
		timeout 120 qemu-system-x86_64 -machine q35,accel=tcg,smm=off -cpu max -m 512 -nodefaults -no-user-config -display none -no-reboot \
			-drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd -drive "if=pflash,format=raw,file=$tmp/vars.fd" \
			-drive "if=none,id=d,file=$tmp/plain-1.raw,format=raw,snapshot=on" -device virtio-blk-pci,drive=d \
			-chardev "socket,id=c,path=$tmp/tpm.sock" -tpmdev emulator,id=t,chardev=c -device tpm-crb,tpmdev=t \
			-serial "file:$tmp/serial" </dev/null
	tr -d '\0\r' <"$tmp/serial" >"$tmp/console"
	[ "$(measured | wc -l)" = 8 ] && return
	tail -n 5 "$tmp/console"
	return 1
}
# PCR 12 = H(0 || H(options in UTF-16 with their end)), in both banks; all others as if nobody had said anything.
twelve() {
	[ "$(changed)" = 12 ] && diff <(measured | grep ':12 ') <(python3 -c '
import hashlib, sys
text = (sys.argv[1] + "\0").encode("utf-16-le")
for bank in "sha256", "sha384":
    h = lambda b: hashlib.new(bank, b).digest()
    print(f"{bank}:12", h(bytes(len(h(b""))) + h(text)).hex())' "$options") && return
	measured | diff "$tmp/plain.pcrs" -
	return 1
}
check "a boot entry with another command line" make_variables
check "the machine boots and prints" boot_outside
check "PCR 12 alone is another, and is the digest of what came from outside" twelve

# ---- certificates ----

own=("SecureBootKey=$keys/db.key" "SecureBootCertificate=$keys/db.crt")
template signed "${own[@]}"
check "a signed image" build signed
predicted "$tmp/signed-1.raw" --secure-boot "$keys" >"$tmp/plain.pcrs"
cp -r "$keys" "$tmp/more" && cat "$tmp/foreign/db.esl" >>"$tmp/more/db.esl"
check "boots where one more certificate is in db" boot signed --secure-boot "$tmp/more"
check "PCR 7 alone is another, and what was predicted" is signed 7 --secure-boot "$tmp/more"
# The key of another certificate signs the same UKI; the firmware knows both.
mv "$tmp/signed-1.raw" "$tmp/by-us.raw"
template signed "SecureBootKey=$tmp/foreign/db.key" "SecureBootCertificate=$tmp/foreign/db.crt"
predicted "$tmp/by-us.raw" --secure-boot "$tmp/more" >"$tmp/plain.pcrs"
check "an image that another key signed" build signed
check "boots" boot signed --secure-boot "$tmp/more"
check "PCR 7 alone is another, and what was predicted" is signed 7 --secure-boot "$tmp/more"
