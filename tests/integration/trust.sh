#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Secure Boot and measurements: what is predicted is what a real TPM holds, and firmware starts what is signed and nothing else.
# Takes: 70 s
. "$(dirname "$0")/functions.sh"
requires qemu-system-x86_64 qemu-system-x86
requires musl-gcc musl-tools
requires sbverify sbsigntool
requires sig-list-to-certs efitools
requires swtpm
requires tpm2_eventlog tpm2-tools
requires mcopy mtools
[ -r /usr/share/OVMF/OVMF_CODE_4M.secboot.fd ] || skip "no firmware with Secure Boot (apt-get install ovmf)"

keys=$tmp/keys

fails() {
	! "$@"
}

# ---- keys ----

check "keygen" "$mkappliance" keygen "$keys" --quiet
check "keygen overwrites nothing" fails_with 1 "is there already" "$mkappliance" keygen "$keys"
check "private keys are private" test "$(stat -c %a "$keys/db.key" "$keys/PK.key" | sort -u)" = 600
check "keygen: too few bits" fails_with 2 "--bits=1024" "$mkappliance" keygen "$tmp/small" --bits 1024
check "keygen: no directory to make it in" fails_with 1 "$tmp/none/keys" "$mkappliance" keygen "$tmp/none/keys"
check "keygen leaves nothing half made" test ! -e "$tmp/small" -a ! -e "$tmp/none"
check "openssl: key and certificate belong together" \
	diff <(openssl pkey -in "$keys/db.key" -pubout) <(openssl x509 -in "$keys/db.crt" -pubkey -noout)
certificate_of_list() {
	sig-list-to-certs "$keys/db.esl" "$tmp/db-" >/dev/null &&
		cmp "$tmp/db--0.der" <(openssl x509 -in "$keys/db.crt" -outform der)
}
check "efitools finds the certificate in db.esl" certificate_of_list

# What is signed of a variable, by hand: name in UTF-16, vendor, attributes, time, data.
auth_verifies() {
	python3 - "$keys" <<'PY' &&
import struct, sys, uuid
keys = sys.argv[1]
auth = open(keys + "/db.auth", "rb").read()
time, rest = auth[:16], auth[16:]
length, revision, kind = struct.unpack("<IHH", rest[:8])
assert (revision, kind) == (0x200, 0x0EF1), (revision, kind)
assert uuid.UUID(bytes_le=rest[8:24]) == uuid.UUID("4aafd29d-68df-49ee-8aa9-347d375665a7")
signed, esl = rest[24:length], rest[length:]
assert esl == open(keys + "/db.esl", "rb").read()
vendor = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f").bytes_le
open(keys + "/message", "wb").write("db".encode("utf-16-le") + vendor + struct.pack("<I", 0x27) + time + esl)
# PKCS#7 wants the ContentInfo that the variable leaves out.
def der(tag, body):
    n = len(body)
    size = bytes([n]) if n < 128 else bytes([0x82, n >> 8, n & 255])
    return bytes([tag]) + size + body
oid = bytes.fromhex("06092a864886f70d010702")
open(keys + "/signature", "wb").write(der(0x30, oid + der(0xA0, signed)))
PY
		openssl smime -verify -inform der -in "$keys/signature" -content "$keys/message" -binary -noverify \
			-certfile "$keys/KEK.crt" -out /dev/null
}
check "openssl: db.auth is signed by KEK" auth_verifies

# ---- variables, read by other people's programs ----

check "uefi-vars" "$mkappliance" uefi-vars "$keys" -o "$tmp/vars.fd" --quiet
check "uefi-vars for AWS" "$mkappliance" uefi-vars "$keys" -o "$tmp/vars.aws" --format aws --quiet
twice() {
	"$mkappliance" uefi-vars "$keys" -o "$tmp/vars.again" --quiet && cmp "$tmp/vars.fd" "$tmp/vars.again"
}
check "uefi-vars twice: the same bytes" twice
vars_json() {
	"$mkappliance" uefi-vars "$keys" -o "$tmp/vars.again" --json >"$tmp/vars.json" && [ "$(json_get "$tmp/vars.json" output)" = "$tmp/vars.again" ] &&
		[ "$(json_get "$tmp/vars.json" variables)" -ge 4 ]
}
check "uefi-vars --json is one document" vars_json
check "uefi-vars: no keys" fails_with 1 "keygen" "$mkappliance" uefi-vars "$tmp" -o "$tmp/x"
check "uefi-vars: no such format" fails_with 2 "--format=tar" "$mkappliance" uefi-vars "$keys" -o "$tmp/x" --format tar
check "uefi-vars: no output" fails_with 2 "--output=FILE" "$mkappliance" uefi-vars "$keys"
head -c 4096 /dev/zero >"$tmp/empty.fd"
check "uefi-vars: not a store" fails_with 1 "$tmp/empty.fd: firmware variables: not a firmware volume" "$mkappliance" uefi-vars "$keys" -o "$tmp/x" --template "$tmp/empty.fd"
check "uefi-vars: a store that has them already" fails_with 1 "PK is set already" "$mkappliance" uefi-vars "$keys" -o "$tmp/x" --template "$tmp/vars.fd"
# A store of 2 KiB, its header patched to say so.
python3 - "$tmp" <<'PY'
import struct, sys
store = bytearray(open("/usr/share/OVMF/OVMF_VARS_4M.fd", "rb").read())
header = struct.unpack_from("<H", store, 48)[0]
struct.pack_into("<I", store, header + 16, 1024)
open(sys.argv[1] + "/full.fd", "wb").write(store)
PY
check "uefi-vars: a store that is full" fails_with 1 "do not fit" "$mkappliance" uefi-vars "$keys" -o "$tmp/x" --template "$tmp/full.fd"
# A list of hashes that no compressor makes smaller.
cp -r "$keys" "$tmp/many" && python3 -c '
import os, struct, sys, uuid
hashes = os.urandom(48 * 1250)
sha256 = uuid.UUID("c1c41626-504c-4092-aca9-41f936934328").bytes_le
sys.stdout.buffer.write(sha256 + struct.pack("<III", 28 + len(hashes), 0, 48) + hashes)' >>"$tmp/many/db.esl"
check "uefi-vars: more than AWS takes" fails_with 1 "AWS takes 64000" "$mkappliance" uefi-vars "$tmp/many" -o "$tmp/x" --format aws
check "uefi-vars leaves nothing half made" test ! -e "$tmp/x"

readers=build/oracles/bin
same_variables() {
	python3 - "$keys" "$1" <<'PY'
import json, sys
keys, path = sys.argv[1:]
got = {v["name"]: v["data"] for v in json.load(open(path))["variables"]}
want = {n: open(f"{keys}/{f}.esl", "rb").read().hex() for n, f in (("PK", "PK"), ("KEK", "KEK"), ("db", "db"), ("MokListRT", "verity"))}
assert got == want, (sorted(got), sorted(want))
PY
}
if [ -x $readers/virt-fw-vars ] && [ -x $readers/uefivars ]; then
	check "virt-firmware reads the store" $readers/virt-fw-vars -i "$tmp/vars.fd" --output-json "$tmp/fd.json"
	check "and finds the keys in it" same_variables "$tmp/fd.json"
	check "AWS's own program reads the blob" $readers/uefivars -i aws -o json -I "$tmp/vars.aws" -O "$tmp/aws.json"
	check "and finds the keys in it" same_variables "$tmp/aws.json"
else
	check_skip "the variables in the eyes of virt-firmware and uefivars" "they are not installed (scripts/setup)"
fi

# ---- signed images ----

mkdir "$tmp/reader"
musl-gcc -static -Os -o "$tmp/reader/reader" tests/integration/pcr_reader.c || exit 1
# template VERSION [LINE...] of [Sign]
template() {
	local version=$1
	shift
	cat >"$tmp/reader/$version.conf" <<EOF
[Appliance]
Name=reader
Version=$version
[Base]
Source=none
Suite=bookworm
[Files]
Copy=reader:/usr/bin/reader mode=0755
[Kernel]
Package=linux-image-cloud-amd64
CommandLine=console=ttyS0
[Init]
Exec=/usr/bin/reader
Capabilities=all
Network=none
[Sign]
$(printf '%s\n' "$@")
EOF
}
build() {
	"$mkappliance" build "$tmp/reader/$1.conf" -o "$tmp/out" --quiet
}
uki_of() {
	mcopy -o -i "$tmp/out/reader-$1.raw@@1M" ::/EFI/BOOT/BOOTX64.EFI "$2"
}
own=("SecureBootKey=$keys/db.key" "SecureBootCertificate=$keys/db.crt")
template plain
template signed "${own[@]}" "SecureBootVariables=$keys"
check "an image that is not signed" build plain
check "a signed one" build signed
cp --sparse=always "$tmp/out/reader-signed.raw" "$tmp/first.raw"
check "again" build signed
check "the same bytes, signature and all" same_bytes "$tmp/out/reader-signed.raw" "$tmp/first.raw"
rm "$tmp/first.raw"
check "verify" "$mkappliance" verify "$tmp/out/reader-signed.raw" --quiet
uki_of signed "$tmp/signed.efi"
uki_of plain "$tmp/plain.efi"
check "sbverify: signed by db" sbverify --cert "$keys/db.crt" "$tmp/signed.efi"
by_another_key() {
	sbverify --cert "$keys/KEK.crt" "$tmp/signed.efi"
}
check "sbverify: by no other key" fails by_another_key
# A stub that somebody has signed already: his signature is not of the UKI and goes.
signed_stub() {
	sbsign --key "$keys/KEK.key" --cert "$keys/KEK.crt" --output "$tmp/stub.efi" /usr/lib/systemd/boot/efi/linuxx64.efi.stub &&
		template stub "${own[@]}" && sed -i "s|^CommandLine=.*|&\nStub=$tmp/stub.efi|" "$tmp/reader/stub.conf" && build stub &&
		uki_of stub "$tmp/stub-uki.efi" && sbverify --cert "$keys/db.crt" "$tmp/stub-uki.efi" &&
		! sbverify --cert "$keys/KEK.crt" "$tmp/stub-uki.efi"
}
check "a stub that is signed already" signed_stub

"$mkappliance" keygen "$tmp/foreign" --quiet
"$mkappliance" keygen "$tmp/old" --days 1 --quiet
openssl x509 -req -days -1 -in <(openssl req -new -key "$keys/db.key" -subj /CN=old) -signkey "$keys/db.key" -out "$tmp/expired.crt" 2>/dev/null ||
	openssl req -x509 -new -key "$keys/db.key" -subj /CN=old -days -1 -out "$tmp/expired.crt"
openssl ecparam -genkey -name prime256v1 -noout -out "$tmp/ec.key"
openssl req -x509 -new -key "$tmp/ec.key" -subj /CN=ec -out "$tmp/ec.crt"
openssl pkey -in "$keys/db.key" -aes256 -passout pass:secret -out "$tmp/locked.key"
refused_build() {
	local why=$1
	shift
	template bad "$@"
	fails_with 2 "$why" "$mkappliance" build "$tmp/reader/bad.conf" -o "$tmp/out"
}
check "build: key and certificate of two pairs" refused_build "is not the certificate of the key" "SecureBootKey=$keys/db.key" "SecureBootCertificate=$tmp/foreign/db.crt"
check "build: an expired certificate" refused_build "has expired" "SecureBootKey=$keys/db.key" "SecureBootCertificate=$tmp/expired.crt"
check "build: a key that firmware cannot verify" refused_build "RSA" "SecureBootKey=$tmp/ec.key" "SecureBootCertificate=$tmp/ec.crt"
check "build: a key with a passphrase" refused_build "passphrase" "SecureBootKey=$tmp/locked.key" "SecureBootCertificate=$keys/db.crt"
check "build: a key without its certificate" refused_build "needs its SecureBootCertificate=" "SecureBootKey=$keys/db.key"
firmware_of_others() {
	template bad "${own[@]}" "SecureBootVariables=$tmp/foreign"
	fails_with 3 "would not start it" "$mkappliance" build "$tmp/reader/bad.conf" -o "$tmp/out"
}
check "build: for firmware with other keys" firmware_of_others
check "and none of them left an image" test ! -e "$tmp/out/reader-bad.raw"
# What firmware has is asked before anything is written.
before_the_root() {
	! "$mkappliance" build "$tmp/reader/bad.conf" -o "$tmp/out" 2>&1 | grep "root and hash tree"
}
check "of which the last is known before the root is written" before_the_root

# ---- signed elsewhere: another program has the key ----

template elsewhere "SecureBootVariables=$keys"
conf=$tmp/reader/elsewhere.conf
check "--unsigned-out" "$mkappliance" build "$conf" -o "$tmp/out" --quiet --unsigned-out "$tmp/out/unsigned.efi"
check "sbsign signs it" sbsign --key "$keys/db.key" --cert "$keys/db.crt" --output "$tmp/out/elsewhere.efi" "$tmp/out/unsigned.efi"
check "--attach-signature" "$mkappliance" build "$conf" -o "$tmp/out" --quiet --attach-signature "$tmp/out/elsewhere.efi"
uki_of elsewhere "$tmp/elsewhere.efi"
check "the image has what came back" cmp "$tmp/elsewhere.efi" "$tmp/out/elsewhere.efi"
check "its manifest has PCR 7 with Secure Boot" grep -q '"secure_boot": true' "$tmp/out/reader-elsewhere.manifest.json"
check "verify" "$mkappliance" verify "$tmp/out/reader-elsewhere.raw" --quiet
check "a signature of another build" fails_with 3 "is not the UKI of this build" "$mkappliance" build "$conf" -o "$tmp/out" --attach-signature "$tmp/signed.efi"
check "a file that is not signed" fails_with 2 "is not signed" "$mkappliance" build "$conf" -o "$tmp/out" --attach-signature "$tmp/out/unsigned.efi"
sections() {
	python3 - "$tmp/out/elsewhere.efi" "$tmp/overlap.efi" "$tmp/beyond.efi" <<'PY'
import sys
whole, overlap, beyond = sys.argv[1:]
d = open(whole, "rb").read()
pe = int.from_bytes(d[0x3c:0x40], "little")
table = pe + 24 + int.from_bytes(d[pe + 20:pe + 22], "little")
places = {d[at:at + 8].rstrip(b"\0"): at + 20 for at in range(table, table + 40 * int.from_bytes(d[pe + 6:pe + 8], "little"), 40)}
def with_place(path, section, place):
    c = bytearray(d)
    c[places[section]:places[section] + 4] = place
    open(path, "wb").write(c)
with_place(overlap, b".cmdline", d[places[b".linux"]:places[b".linux"] + 4])
with_place(beyond, b".linux", bytes([0, 0xff, 0xff, 0x7f]))
PY
}
check "files whose sections lie over one another, and outside" sections
check "--attach-signature: the first" fails_with 1 "PE sections .cmdline and .linux overlap" "$mkappliance" build "$conf" -o "$tmp/out" --attach-signature "$tmp/overlap.efi"
check "the second" fails_with 1 "PE section .linux does not lie within the file" "$mkappliance" build "$conf" -o "$tmp/out" --attach-signature "$tmp/beyond.efi"
check "pcrs: the first" fails_with 1 "PE sections .cmdline and .linux overlap" "$mkappliance" pcrs "$tmp/overlap.efi"
check "the second" fails_with 1 "PE section .linux does not lie within the file" "$mkappliance" pcrs "$tmp/beyond.efi"
check "both at once" fails_with 2 "not both" "$mkappliance" build "$conf" -o "$tmp/out" --attach-signature "$tmp/signed.efi" --unsigned-out "$tmp/x.efi"
check "with a key in the template" fails_with 2 "SecureBootKey= signs the UKI here" "$mkappliance" build "$tmp/reader/signed.conf" -o "$tmp/out" --unsigned-out "$tmp/x.efi"
check "none of which left a file" test ! -e "$tmp/x.efi"

token() {
	local module
	module=$(dpkg-query -L libsofthsm2 | grep 'libsofthsm2.so$' | head -n 1) && [ -n "$module" ] || return 1
	mkdir -p "$tmp/tokens" && printf 'directories.tokendir = %s\n' "$tmp/tokens" >"$tmp/softhsm2.conf" &&
		export SOFTHSM2_CONF=$tmp/softhsm2.conf PKCS11_MODULE_PATH=$module &&
		softhsm2-util --init-token --free --label appliance --pin 1234 --so-pin 1234 &&
		openssl pkey -in "$keys/db.key" -out "$tmp/db.p8" && softhsm2-util --import "$tmp/db.p8" --token appliance --label db --id 01 --pin 1234
}
refused_token() {
	template bad "SecureBootKey=pkcs11:token=none;object=db" "SecureBootCertificate=$keys/db.crt"
	fails_with 1 "pkcs11:token=none" "$mkappliance" build "$tmp/reader/bad.conf" -o "$tmp/out"
}
if command -v softhsm2-util >/dev/null && openssl engine pkcs11 >/dev/null 2>&1; then
	check "a token with the key in it" token
	export SOFTHSM2_CONF=$tmp/softhsm2.conf PKCS11_MODULE_PATH
	PKCS11_MODULE_PATH=$(dpkg-query -L libsofthsm2 | grep 'libsofthsm2.so$' | head -n 1)
	template token "SecureBootKey=pkcs11:token=appliance;object=db;type=private?pin-value=1234" "SecureBootCertificate=$keys/db.crt"
	check "a build with a key that never leaves its token" build token
	uki_of token "$tmp/token.efi"
	check "sbverify: signed by db" sbverify --cert "$keys/db.crt" "$tmp/token.efi"
	check "a token that is not there" refused_token
else
	check_skip "a key in a PKCS#11 token" "softhsm2 or OpenSSL's engine is not installed"
fi

# ---- prediction ----

"$mkappliance" pcrs "$tmp/out/reader-plain.raw" | sort >"$tmp/plain.pcrs"
"$mkappliance" pcrs "$tmp/out/reader-signed.raw" --secure-boot "$keys" | sort >"$tmp/signed.pcrs"
manifest_pcrs() {
	python3 -c '
import json, sys
p = json.load(open(sys.argv[1]))["pcrs"]
print("\n".join(sorted(f"{b}:{n} {v}" for b in ("sha256", "sha384") for n, v in p[b].items())))' "$tmp/out/reader-$1.manifest.json"
}
check "the manifest says the same, without Secure Boot" diff <(manifest_pcrs plain) "$tmp/plain.pcrs"
check "and with it" diff <(manifest_pcrs signed) "$tmp/signed.pcrs"
check "of the UKI alone too" diff <("$mkappliance" pcrs "$tmp/plain.efi" | sort) "$tmp/plain.pcrs"
check "KMS policy: PCR 4 in SHA-384" grep -q "$(sed -n 's/^sha384:4 //p' "$tmp/plain.pcrs")" <("$mkappliance" pcrs "$tmp/out/reader-plain.raw" --kms-policy)
check "pcrs: keys of somebody else" fails_with 3 "would not start it" "$mkappliance" pcrs "$tmp/out/reader-signed.raw" --secure-boot "$tmp/foreign"
check "pcrs: not signed" fails_with 3 "would not start it" "$mkappliance" pcrs "$tmp/out/reader-plain.raw" --secure-boot "$keys"
check "pcrs: not an image" fails_with 3 "neither a disk image nor a UKI" "$mkappliance" pcrs "$tmp/reader/plain.conf"

# changes OLD NEW PCRS: one byte of the UKI decides; of four PCRs exactly those change.
changes() {
	cp "$tmp/plain.efi" "$tmp/altered.efi"
	python3 - "$tmp/altered.efi" "$1" "$2" <<'PY' || return 1
import sys
path, section, at = sys.argv[1:]
d = bytearray(open(path, "rb").read())
pe = int.from_bytes(d[0x3c:0x40], "little")
n = int.from_bytes(d[pe + 6:pe + 8], "little")
table = pe + 24 + int.from_bytes(d[pe + 20:pe + 22], "little")
for i in range(n):
    s = d[table + 40 * i:table + 40 * i + 40]
    if s[:8].rstrip(b"\0").decode() == section:
        d[int.from_bytes(s[20:24], "little") + int(at)] ^= 1
        break
else:
    raise SystemExit("no section " + section)
open(path, "wb").write(d)
PY
	"$mkappliance" pcrs "$tmp/altered.efi" | sort | diff "$tmp/plain.pcrs" - | sed -n 's/^> sha256:\([0-9]*\) .*/\1/p' | sort -n | xargs >"$tmp/changed"
	[ "$(cat "$tmp/changed")" = "$3" ] || { echo "changed: $(cat "$tmp/changed"), expected: $3"; return 1; }
}
check "a byte of the kernel changes PCR 4 and 11" changes .linux 100000 "4 11"
check "of the initrd" changes .initrd 5000 "4 11"
check "of the command line" changes .cmdline 0 "4 11"
check "of what the stub does not measure, 4 alone" changes .text 100 "4"
another_certificate() {
	cp -r "$keys" "$tmp/more" && cat "$tmp/foreign/db.esl" >>"$tmp/more/db.esl" &&
		"$mkappliance" pcrs "$tmp/out/reader-signed.raw" --secure-boot "$tmp/more" | sort | diff "$tmp/signed.pcrs" - |
		sed -n 's/^> sha256:\([0-9]*\) .*/\1/p' | xargs | grep -qx 7
}
check "another certificate changes PCR 7 alone" another_certificate

# ---- and what machines do ----

boot() {
	timeout 240 "$mkappliance" boot "$tmp/out/reader-$1.raw" --tpm --console "${@:2}" >"$tmp/console" 2>&1
}
measured() {
	sed -n 's/^app: PCR \(sha[0-9]*:\(4\|7\|11\|12\)\) \(.*\)/\1 \L\3/p' "$tmp/console" | sort
}
# The digests of a PCR's events in the firmware's log are those that were predicted, in their order.
same_events() {
	sed -n 's/^app: LOG //p' "$tmp/console" | tr -d '\n' | python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' >"$tmp/log"
	tpm2_eventlog "$tmp/log" 2>/dev/null >"$tmp/log.yaml" || return 1
	"$mkappliance" pcrs "$@" --json >"$tmp/predicted.json" && python3 - "$tmp" <<'PY'
import json, re, sys
tmp = sys.argv[1]
events = re.split(r"\n- EventNum: ", open(tmp + "/log.yaml").read())[1:]
for pcr in (4, 7, 11):
    got = [re.search(r'sha256\n\s+Digest: "(\w+)"', e)[1] for e in events if re.search(rf"PCRIndex: {pcr}\n", e)]
    want = [e["sha256"] for e in json.load(open(tmp + "/predicted.json"))["events"] if e["pcr"] == pcr]
    assert got == want, (pcr, got, want)
PY
}
check "boots with a TPM" boot plain
check "its PCRs are the predicted ones, in both banks" diff "$tmp/plain.pcrs" <(measured)
check "and so is its event log" same_events "$tmp/out/reader-plain.raw"
check "boots with Secure Boot" boot signed --secure-boot "$keys"
check "its PCRs are the predicted ones, in both banks" diff "$tmp/signed.pcrs" <(measured)
check "and so is its event log" same_events "$tmp/out/reader-signed.raw" --secure-boot "$keys"
check "what is not signed is not started" fails_with 3 "refused by the firmware" timeout 240 "$mkappliance" boot "$tmp/out/reader-plain.raw" --secure-boot "$keys"
check "nor what another key signed" fails_with 3 "refused by the firmware" timeout 240 "$mkappliance" boot "$tmp/out/reader-signed.raw" --secure-boot "$tmp/foreign"
