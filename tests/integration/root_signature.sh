#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The signature of the root hash: what systemd-dissect, systemd-veritysetup, OpenSSL and veritysetup say of it, and what kernels do with a
# good one, with one of another root hash and with one by a key that they do not know. The kernel's keys come from the firmware's variables, with Secure Boot on.
# Takes: 90 s
. "$(dirname "$0")/functions.sh"
. tests/integration/archive.sh
requires qemu-system-x86_64 qemu-system-x86
requires veritysetup cryptsetup-bin
requires openssl
requires depmod kmod
[ "$(uname -m)" = x86_64 ] || skip "the host is not x86_64"
[ -r /usr/share/OVMF/OVMF_CODE_4M.secboot.fd ] || skip "no firmware with Secure Boot (apt-get install ovmf)"

keys=$tmp/keys
image=$tmp/out/signed-1.raw

# program DIR FILE...: copies programs of this machine with the libraries that they need.
program() {
	local dir=$1 file
	shift
	for file in $(ldd "$@" | sed -n 's/.*[\t ]\(\/[^ ]*\) (.*/\1/p' | sort -u) "$@"; do
		mkdir -p "$dir$(dirname "$file")" && cp -L "$file" "$dir$file" || return
	done
}

# In the machine the kernel's dm-verity is asked once more by somebody else's programs: with the signature, and with a broken one.
make_base() {
	mkdir -p "$tmp"/base/{dev,proc,sys,run,tmp,var,etc,bin,mnt,efi} && cat >"$tmp/base/check" <<'SH'
tr -d '\0' </dev/vda4 | sed 's/.*"signature":"\([^"]*\)".*/\1/' | base64 -d >/run/good
hash=$(tr -d '\0' </dev/vda4 | sed 's/.*"rootHash":"\([^"]*\)".*/\1/')
head -c 300 /run/good >/run/bad
tail -c +301 /run/good | tr '\000-\377' '\001-\377\000' >>/run/bad
echo "attest:" /run/mkappliance/*
# The partitions themselves are in use.
cat /dev/vda2 >/tmp/root
cat /dev/vda3 >/tmp/tree
for signature in good bad; do
	veritysetup open /tmp/root $signature /tmp/tree $hash --root-hash-signature=/run/$signature 2>&1
	echo "veritysetup, $signature: $?"
	/lib/systemd/systemd-veritysetup attach systemd-$signature /tmp/root /tmp/tree $hash root-hash-signature=/run/$signature 2>&1
	echo "systemd-veritysetup, $signature: $?"
done
# The whole disk, as somebody finds it who mounts images.
loop=$(losetup -f --show -r -P /dev/vda)
systemd-dissect --read-only --mount $loop /mnt 2>&1 && [ -s /mnt/check ]
echo "systemd-dissect: $?"
systemd-dissect --umount /mnt 2>&1 # which gives the loop device back
loop=$(losetup -f --show -r -P /dev/vda)
systemd-dissect --read-only --mount --root-hash=$hash --root-hash-sig=/run/bad $loop /mnt 2>&1
echo "systemd-dissect, bad: $?"
SH
	program "$tmp/base" "$(realpath "$(command -v dash)")" /usr/bin/cat /usr/bin/tr /usr/bin/base64 /usr/bin/head /usr/bin/tail "$(realpath "$(command -v sed)")" \
		"$(realpath "$(command -v veritysetup)")" /lib/systemd/systemd-veritysetup "$(realpath "$(command -v systemd-dissect)")" "$(realpath "$(command -v losetup)")" && ln -sf "$(realpath "$(command -v dash)")" "$tmp/base/bin/sh"
}

# template NAME KERNEL-LINES [SIGN-LINE...]
template() {
	local name=$1 kernel=$2
	shift 2
	cat >"$tmp/$name.conf" <<EOF
[Appliance]
Name=$name
Version=1
[Base]
Source=directory
Path=base
[Kernel]
$kernel
CommandLine=console=ttyS0
Modules=loop vfat nls_cp437 nls_ascii
[Init]
Exec=/bin/sh /check
Environment=PATH=/usr/bin:/bin:/usr/sbin:/sbin
Capabilities=all
Network=none
[Attest]
Use=auto
[Sandbox]
Lockdown=none
[Sign]
SecureBootKey=$keys/db.key
SecureBootCertificate=$keys/db.crt
$(printf '%s\n' "$@")
EOF
}
build() {
	"$mkappliance" build "$tmp/$1.conf" -o "$tmp/out" --quiet "${@:2}"
}

# ---- what a build makes, and what others say of it ----

# signature_of NAME: the partition's JSON.
signature_of() {
	local at
	at=$(json_get "$tmp/out/$1-1.manifest.json" disk.partitions.3.offset) && dd if="$tmp/out/$1-1.raw" bs=4096 skip=$((at / 4096)) count=4 status=none |
		tr -d '\0'
}
openssl_verifies() {
	signature_of signed >"$tmp/signature.json" &&
		python3 -c '
import base64, hashlib, json, ssl, sys
s = json.load(open(sys.argv[1] + "/signature.json"))
assert set(s) == {"rootHash", "certificateFingerprint", "signature"}, s
assert s["certificateFingerprint"] == hashlib.sha256(ssl.PEM_cert_to_DER_cert(open(sys.argv[2]).read())).hexdigest()
assert s["rootHash"] == json.load(open(sys.argv[1] + "/out/signed-1.manifest.json"))["verity"]["root_hash"]
open(sys.argv[1] + "/hash", "w").write(s["rootHash"])
open(sys.argv[1] + "/p7s", "wb").write(base64.b64decode(s["signature"], validate=True))' "$tmp" "$keys/verity.crt" &&
		openssl smime -verify -inform der -in "$tmp/p7s" -content "$tmp/hash" -binary -noverify -nointern -certfile "$keys/verity.crt" -out /dev/null &&
		openssl cms -verify -inform der -in "$tmp/p7s" -content "$tmp/hash" -binary -noverify -nointern -certfile "$keys/verity.crt" -out /dev/null
}
dissect() {
	systemd-dissect --json=short "$image" | python3 -c '
import json, sys
for line in sys.stdin.read().splitlines():
    if line.startswith("["):
        parts = {p["designator"]: p for p in json.loads(line)}
        break
    try:
        parts = {p["designator"]: p for p in json.loads(line)["mounts"]}
        break
    except (ValueError, KeyError):
        pass
assert parts["root"]["verity"] == "signed", parts["root"]
assert parts["root-verity-sig"]["fstype"] == "verity_hash_signature", parts'
}

check "keys" "$mkappliance" keygen "$keys" --quiet
"$mkappliance" keygen "$tmp/foreign" --quiet
check "a root with veritysetup in it" make_base || exit
own=("SecureBootVariables=$keys" "VerityKey=$keys/verity.key" "VerityCertificate=$keys/verity.crt" VerityRequired=yes)
debian=$(find /boot -name 'vmlinuz-*-cloud-amd64' -readable | sort -V | tail -n 1)
[ -n "$debian" ] || skip "no Debian cloud kernel in /boot (apt-get install linux-image-cloud-amd64)"
debian="Image=$debian
ModulesDirectory=/lib/modules/${debian#/boot/vmlinuz-}"
template signed "$debian" "${own[@]}"
check "a signed root hash" build signed || exit
twice() {
	cp --sparse=always "$image" "$tmp/first.raw" && build signed && same_bytes "$image" "$tmp/first.raw" && rm "$tmp/first.raw"
}
check "again: the same bytes" twice
check "openssl: its signature is by that certificate, over the digits of the root hash" openssl_verifies
check "sfdisk knows the partition's type" grep -q 'root-verity-sig\|Linux root verity sign' <(sfdisk -l "$image")
if [ -e /dev/loop-control ] && loop=$(losetup -f --show -r "$image" 2>/dev/null); then
	losetup -d "$loop"
	check "systemd-dissect: the root is signed" dissect
else
	check_skip "systemd-dissect" "no loop devices here"
fi
check "verify" "$mkappliance" verify "$image" --quiet
check "verify: by that certificate" "$mkappliance" verify "$image" --root-certificate "$keys/verity.crt" --quiet
check "verify: by another one" fails_with 3 "is not a signature of this root hash by that certificate" "$mkappliance" verify "$image" --root-certificate "$tmp/foreign/verity.crt"

# altered NAME PYTHON: a copy of the image as $tmp/out/NAME-1.raw, changed by code that has its bytes of the signature's partition in b.
altered() {
	cp --sparse=always "$image" "$tmp/out/$1-1.raw" && cp "$tmp/out/signed-1.manifest.json" "$tmp/out/$1-1.manifest.json" && python3 -c '
import json, sys
path, code, other = sys.argv[1:]
at = json.load(open(path.replace(".raw", ".manifest.json")))["disk"]["partitions"][3]["offset"]
f = open(path, "r+b"); f.seek(at); b = bytearray(f.read(4096))
exec(code)
f.seek(at); f.write(b)' "$tmp/out/$1-1.raw" "$2" "$tmp/out/other-1.raw"
}
template other "$debian" "${own[@]}"
echo other >"$tmp/base/etc/other"
check "another image by the same signer" build other
rm "$tmp/base/etc/other"
check "a broken signature" altered broken 'i = b.index(b"\"signature\":\"") + 400; b[i] = ord("B") if b[i] == ord("A") else ord("A")'
check "the other one's signature" altered moved 'o = open(other, "rb"); o.seek(at); b = o.read(4096)'
check "none at all" altered empty 'b = bytes(4096)'
check "verify sees the broken one" fails_with 3 "every byte" "$mkappliance" verify "$tmp/out/broken-1.raw"
broken_signer() {
	"$mkappliance" verify "$tmp/out/broken-1.raw" --root-certificate "$keys/verity.crt" 2>/dev/null | grep -q "^DIFFERS .*root signature .*is not a signature of this"
}
check "and whose it is not" broken_signer
check "and the moved one" fails_with 3 "root-verity-sig, block 0" "$mkappliance" verify "$tmp/out/moved-1.raw"
check "and none" fails_with 3 "root-verity-sig, block 0" "$mkappliance" verify "$tmp/out/empty-1.raw"

# ---- what cannot be ----

refused() {
	local code=$1 why=$2
	shift 2
	template bad "$debian" "$@"
	fails_with "$code" "$why" "$mkappliance" build "$tmp/bad.conf" -o "$tmp/out"
}
openssl req -new -key "$keys/verity.key" -subj /CN=old -out "$tmp/old.csr" &&
	openssl x509 -req -days -1 -in "$tmp/old.csr" -signkey "$keys/verity.key" -out "$tmp/expired.crt" 2>/dev/null
openssl ecparam -genkey -name prime256v1 -noout -out "$tmp/ec.key" && openssl req -x509 -new -key "$tmp/ec.key" -subj /CN=ec -out "$tmp/ec.crt"
check "key and certificate of two pairs" refused 2 "is not the certificate of the key" "VerityKey=$keys/verity.key" "VerityCertificate=$keys/db.crt"
check "an expired certificate" refused 2 "has expired" "VerityKey=$keys/verity.key" "VerityCertificate=$tmp/expired.crt"
check "a key that is not RSA" refused 2 "RSA" "VerityKey=$tmp/ec.key" "VerityCertificate=$tmp/ec.crt"
check "a key without its certificate" refused 2 "needs its VerityCertificate=" "VerityKey=$keys/verity.key"
check "required, and not signed" refused 2 "VerityRequired= works only with VerityCertificate=" VerityRequired=yes
check "who signs?" refused 2 "who signs the root hash?" "VerityCertificate=$keys/verity.crt"
check "a certificate that no machine knows" refused 3 "no kernel would accept its signatures" "SecureBootVariables=$keys" "VerityKey=$tmp/foreign/verity.key" \
	"VerityCertificate=$tmp/foreign/verity.crt" VerityRequired=yes
check "one in db, and a kernel that does not look there" refused 2 "does not look there" "SecureBootVariables=$keys" "VerityKey=$keys/db.key" \
	"VerityCertificate=$keys/db.crt" VerityRequired=yes
# A kernel without CONFIG_DM_VERITY_VERIFY_ROOTHASH_SIG: its dm-verity does not have the option's name.
old_kernel() {
	local from=/lib/modules/${debian##*/} to=$tmp/old/${debian##*/}
	mkdir -p "$tmp/old" && cp -r "$from" "$to" && sed -i 's/root_hash_sig_key_desc/root_hash_sig_key_desX/g' "$to/kernel/drivers/md/dm-verity.ko" &&
		template bad "${debian%%$'\n'*}
ModulesDirectory=$to" "${own[@]}" && fails_with 2 "cannot verify signatures of root hashes" "$mkappliance" build "$tmp/bad.conf" -o "$tmp/out"
}
check "a kernel that cannot verify it" old_kernel
# The same with dm-verity built in: what it says of itself is in modules.builtin.modinfo.
old_builtin() {
	local to=$tmp/old/${debian##*/}
	sed -i '/^kernel\/drivers\/md\/dm-verity\.ko:/d' "$to/modules.dep" && echo kernel/drivers/md/dm-verity.ko >>"$to/modules.builtin" &&
		printf 'dm_verity.license=GPL\0dm_verity.parm=prefetch_cluster:x\0' >>"$to/modules.builtin.modinfo" &&
		fails_with 2 "cannot verify signatures of root hashes" "$mkappliance" build "$tmp/bad.conf" -o "$tmp/out" &&
		printf 'dm_verity.parm=require_signatures:x\0' >>"$to/modules.builtin.modinfo" && "$mkappliance" build "$tmp/bad.conf" -o "$tmp/builtin" --quiet
}
check "nor can one that has dm-verity built in, unless it says so" old_builtin
check "and none of them left an image" test ! -e "$tmp/out/bad-1.raw"

# ---- signed elsewhere ----

sign_elsewhere() {
	openssl smime -sign -binary -noattr -nocerts -in "$tmp/root-hash" -inkey "$keys/verity.key" -signer "$keys/verity.crt" -outform der -out "$tmp/root-hash.p7s"
}
same_partition() {
	cmp <(signature_of signed) <(signature_of elsewhere)
}
template elsewhere "$debian" "SecureBootVariables=$keys" "VerityCertificate=$keys/verity.crt" VerityRequired=yes
sed -i 's/^Name=.*/Name=signed/' "$tmp/elsewhere.conf"
elsewhere() {
	"$mkappliance" build "$tmp/elsewhere.conf" -o "$tmp/elsewhere" --quiet "$@"
}
check "--root-hash-out" elsewhere --root-hash-out "$tmp/root-hash"
check "it is the root hash" test "$(cat "$tmp/root-hash")" = "$(json_get "$tmp/out/signed-1.manifest.json" verity.root_hash)"
check "an image that is to be signed yet" "$mkappliance" verify "$tmp/elsewhere/signed-1.raw" --quiet
check "is not signed" fails_with 3 "the root hash is not signed" "$mkappliance" verify "$tmp/elsewhere/signed-1.raw" --root-certificate "$keys/verity.crt"
check "openssl signs it" sign_elsewhere
check "--attach-root-signature" elsewhere --attach-root-signature "$tmp/root-hash.p7s"
check "the image is the one that is signed here" same_bytes "$tmp/elsewhere/signed-1.raw" "$image"
printf '%064d' 0 >"$tmp/zero"
of_another() {
	openssl smime -sign -binary -noattr -nocerts -in "$tmp/zero" -inkey "$keys/verity.key" -signer "$keys/verity.crt" -outform der -out "$tmp/zero.p7s" &&
		fails_with 3 "is not a signature of this root hash" elsewhere --attach-root-signature "$tmp/zero.p7s"
}
check "a signature of another root hash" of_another
check "no signature at all" fails_with 3 "no detached PKCS#7" elsewhere --attach-root-signature "$tmp/root-hash"
check "both at once" fails_with 2 "not both" elsewhere --attach-root-signature "$tmp/root-hash.p7s" --root-hash-out "$tmp/x"
check "with a key in the template" fails_with 2 "VerityKey= signs the root hash here" "$mkappliance" build "$tmp/signed.conf" -o "$tmp/x" --root-hash-out "$tmp/x.hash"
without_certificate() {
	template bad "$debian" && fails_with 2 "VerityCertificate= is missing" "$mkappliance" build "$tmp/bad.conf" -o "$tmp/x" --root-hash-out "$tmp/x.hash"
}
check "without a certificate" without_certificate
check "none of which left a file" test ! -e "$tmp/x" -a ! -e "$tmp/x.hash"

# ---- and what kernels do ----

boot() {
	timeout 240 "$mkappliance" boot "$tmp/out/$1-1.raw" --console "${@:2}" >"$tmp/console" 2>&1
}
says() {
	grep -aqE "$1" "$tmp/console" && return
	echo "expected: $1"
	tail -n 8 "$tmp/console"
	return 1
}
# kernel_refuses NAME WHY [OPTION...]
kernel_refuses() {
	local name=$1 why=$2
	shift 2
	! boot "$name" "$@" && says "\"event\": \"refused\", .*\"reason\": \"signature\", \"detail\": \"$why"
}
check "a machine with its certificate boots" boot signed --secure-boot "$keys"
check "the kernel has accepted the signature" says '"verified", .*"signature": "kernel"'
check "as it does when veritysetup asks" says '^app: veritysetup, good: 0'
check "which it refuses a broken one" says '^app: veritysetup, bad: [1-9]'
check "systemd-veritysetup says the same of both" eval "says '^app: systemd-veritysetup, good: 0' && says '^app: systemd-veritysetup, bad: [1-9]'"
check "systemd-dissect mounts the image" says '^app: systemd-dissect: 0'
check "and not by a broken signature" says '^app: systemd-dissect, bad: [1-9]'
check "[Attest] Use=auto on a machine without a TPM: it says so" says '"event": "attest", .*"missing": "tpm"'
check "and starts, with what there is" says '^app: attest: /run/mkappliance/name /run/mkappliance/root-hash /run/mkappliance/version\s*$'
check "a broken signature is refused" kernel_refuses broken "" --secure-boot "$keys"
check "that of another root hash is refused" kernel_refuses moved "the signature is not of this root hash" --secure-boot "$keys"
check "none is refused" kernel_refuses empty ".* holds no signature" --secure-boot "$keys"
# The firmware starts the UKI, but the kernel has never heard of who signed the root hash.
cp -r "$keys" "$tmp/without" && rm "$tmp/without/verity.esl"
check "a signer whom the kernel does not know is refused" kernel_refuses signed "no key that the kernel trusts" --secure-boot "$tmp/without"
check "and so is everybody without Secure Boot" kernel_refuses signed "no key that the kernel trusts"

cached=$PWD/build/kernel-trixie
if why=$(fetch_kernel "$cached" trixie 2>&1); then
	template new "Image=$cached/vmlinuz
ModulesDirectory=$(echo "$cached"/modules/*)" "SecureBootVariables=$keys" "VerityKey=$keys/db.key" "VerityCertificate=$keys/db.crt" VerityRequired=yes
	check "6.12: an image whose signer is in db" build new
	check "boots" boot new --secure-boot "$tmp/without"
	check "the kernel has accepted the signature" says '"verified", .*"signature": "kernel"'
else
	check_skip "three checks with a kernel of 6.12 or later" "$why"
fi
