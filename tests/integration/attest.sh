#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A machine proves by its TPM which image it runs: quotes made inside by tpm2-tools, checked outside against manifests.
# Takes: 60 s
. "$(dirname "$0")/functions.sh"
requires python3
requires qemu-system-x86_64 qemu-system-x86
requires swtpm
requires tpm2 tpm2-tools
requires busybox busybox-static
[ -r /usr/share/OVMF/OVMF_CODE_4M.fd ] || skip "no firmware (apt-get install ovmf)"

nonce=$(head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \n')

# ---- the appliance: tpm2-tools and what they are linked with, and a shell ----

base=$tmp/base
mkdir -p "$base"/{dev,proc,sys,run,tmp,etc,usr/bin}
chmod 1777 "$base/tmp"
for file in "$(command -v tpm2)" "$(command -v busybox)"; do
	cp -L "$file" "$base/usr/bin/"
done
device=$(dpkg-query -L libtss2-tcti-device0 | grep '\.so\.0$') || skip "libtss2-tcti-device0 is not installed"
{
	echo "$device"
	ldd "$(command -v tpm2)" "$device" | grep -o '/[^ ]*' | grep -v ':$'
} | sort -u | while read -r file; do
	mkdir -p "$base$(dirname "$file")" && cp -L "$file" "$base$file"
done
printf 'root:x:0:0::/:/bin/false\napp:x:1000:1000::/:/bin/false\n' >"$base/etc/passwd"
printf 'root:x:0:\napp:x:1000:\n' >"$base/etc/group"
cat >"$base/usr/bin/answer" <<END
#!/usr/bin/busybox sh
set -e
export TPM2TOOLS_TCTI=device:/dev/tpmrm0
cd /tmp
b=/usr/bin/busybox
t=/usr/bin/tpm2
\$t createek -Q -c ek -G ecc -u ek.pub
for kind in ecc.ecdsa rsa.rsassa rsa.rsapss; do
	\$t createak -Q -C ek -c ak -G \${kind%.*} -g sha256 -s \${kind#*.} -u \$kind.ak -n name
	\$t flushcontext -t
	\$t readpublic -Q -c ak -f pem -o \$kind.pem
	\$t flushcontext -t
	\$t quote -Q -c ak -l sha256:4,7,11,12 -q $nonce -m \$kind.quote -s \$kind.signature -o \$kind.pcrs --scheme \${kind#*.}
	\$t flushcontext -t
done
\$t quote -Q -c ak -l sha256:0,1,2,3,4,5,6,7,11,12+sha384:4,7,11,12 -q $nonce -m more.quote -s more.signature -o more.pcrs --scheme rsapss
\$t flushcontext -t
\$t quote -Q -c ak -l sha256:4,11,12 -q $nonce -m less.quote -s less.signature -o less.pcrs --scheme rsapss
\$b id -u >uid
(\$b touch /run/mkappliance/new || \$b touch /run/mkappliance/eventlog || \$b rm /run/mkappliance/name || echo refused) >written 2>/dev/null
\$b cp /run/mkappliance/* .
for f in *.* uid written name version root-hash eventlog; do
	\$b od -An -v -tx1 -w64 \$f | \$b sed "s/ //g; s/^/FILE \$f /"
done
END
chmod 755 "$base/usr/bin/answer"
# template VERSION [LINE...]
template() {
	local version=$1
	shift
	cat >"$tmp/$version.conf" <<END
[Appliance]
Name=witness
Version=$version
[Base]
Source=none
Suite=bookworm
[Files]
Copy=base:/
[Kernel]
Package=linux-image-cloud-amd64
CommandLine=console=ttyS0
[Init]
Exec=/usr/bin/answer
User=app
Network=none
$(printf '%s\n' "$@")
END
}
build() {
	"$mkappliance" build "$tmp/$1.conf" -o "$tmp/out" --quiet
}
template 1.0 "[Attest]" "Use=tpm"
check "build with [Attest]" build 1.0 || exit
sed 's/^CommandLine=.*/& quiet/; s/^Version=.*/Version=1.1/' "$tmp/1.0.conf" >"$tmp/1.1.conf"
check "another build" build 1.1
manifest=$tmp/out/witness-1.0.manifest.json
other=$tmp/out/witness-1.1.manifest.json

with_tpm() {
	timeout 300 "$mkappliance" boot "$tmp/out/witness-1.0.raw" --tpm --console >"$tmp/console" 2>&1
}
check "boots with a TPM" with_tpm
mkdir "$tmp/got"
python3 - "$tmp/console" "$tmp/got" <<'PY'
import re, sys
files = {}
for line in open(sys.argv[1], errors="replace"):
    m = re.match(r"app: FILE (\S+) ([0-9a-f]+)\s*$", line)
    if m:
        files[m[1]] = files.get(m[1], b"") + bytes.fromhex(m[2])
for name, data in files.items():
    open(f"{sys.argv[2]}/{name}", "wb").write(data)
PY
cd "$tmp/got" || exit
check "all of them came out" test -s ecc.ecdsa.quote -a -s more.pcrs -a -s less.signature -a -s eventlog || {
	tail -n 30 "$tmp/console"
	exit
}

# ---- what the init put there ----

check "the application was not root" test "$(cat uid)" = 1000
check "and could read, not write" test "$(cat written)" = refused
check "name and version" test "$(cat name version | xargs)" = "witness 1.0"
check "root hash" test "$(cat root-hash)" = "$(json_get "$manifest" verity.root_hash)"

# ---- quotes ----

# attests WHAT MANIFEST [OPTION...]: the quote WHAT by the key of its name.
attests() {
	local what=$1 file=$2 key=$1
	shift 2
	[ "$what" != more ] && [ "$what" != less ] || key=rsa.rsapss
	"$mkappliance" attest --quote "$what.quote" --signature "$what.signature" --ak "$key.ak" --nonce "$nonce" --manifest "$file" "$@"
}
for kind in ecc.ecdsa rsa.rsassa rsa.rsapss; do
	check "$kind: accepted" attests $kind "$manifest"
	check "$kind: by the key in PEM" attests $kind "$manifest" --ak $kind.pem
	check "$kind: with its PCRs and the log" attests $kind "$manifest" --pcrs $kind.pcrs --eventlog eventlog
done
check "more PCRs than are predicted" attests more "$manifest" --pcrs more.pcrs
check "told apart by the log alone" attests more "$manifest" --eventlog eventlog
check "without either" fails_with 3 "the quote has more PCRs than are predicted" attests more "$manifest"
as_json() {
	attests more "$manifest" --pcrs more.pcrs --eventlog eventlog --json >report &&
		[ "$(json_get report ok)" = true ] && grep -q '"check": "sha384:11"' report && [ "$(json_get report root_hash)" = "$(cat root-hash)" ]
}
check "--json" as_json
check "tpm2-tools say the same of the signature" tpm2_checkquote -u rsa.rsassa.pem -m rsa.rsassa.quote -s rsa.rsassa.signature -f rsa.rsassa.pcrs -g sha256 -q "$nonce"

# ---- refused ----

kind=ecc.ecdsa
check "another build: refused" fails_with 3 "not proved to be witness 1.1: PCRs: their digest is not that of the manifest's" attests $kind "$other"
check "another build: which PCR" fails_with 3 "witness 1.1: sha256:4: is $(json_get "$manifest" pcrs.sha256.4)" attests $kind "$other" --pcrs $kind.pcrs
check "another build: which event" fails_with 3 "(EV_EFI_BOOT_SERVICES_APPLICATION, the log's " attests $kind "$other" --eventlog eventlog
names_both() {
	attests $kind "$other" --eventlog eventlog >report
	grep -q "^DIFFERS    sha256:4 .* is not the manifest's 'UKI'$" report && grep -q "^ok         sha256:7 " report &&
		grep -q "^DIFFERS    sha256:11 .* is not the manifest's '.osrel'$" report && grep -q "^ok         sha256:12 " report
}
check "another build: all that differ, and what does not" names_both
check "a stale nonce" fails_with 3 "nonce: the quote answers '$nonce' and not '00ff'" attests $kind "$manifest" --nonce 00ff
check "signed by another key" fails_with 3 "signature: $kind.signature was not made by the key rsa.rsassa.ak" attests $kind "$manifest" --ak rsa.rsassa.ak
check "another quote's signature" fails_with 3 "signature: less.signature was not made by the key" attests more "$manifest" --signature less.signature
check "a quote without PCR 7" fails_with 3 "PCR 7 is not in the quote" attests less "$manifest" --pcrs less.pcrs

# altered FILE OFFSET: a copy with one byte changed.
altered() {
	python3 - "$1" "$2" <<-'PY'
		import sys
		d = bytearray(open(sys.argv[1], "rb").read())
		d[int(sys.argv[2])] ^= 1
		open("altered", "wb").write(d)
	PY
	echo altered
}
check "an altered digest of the PCRs" fails_with 3 "signature: " attests $kind "$manifest" --quote "$(altered $kind.quote -1)"
check "altered PCRs" fails_with 3 "has not the digest that the TPM signed" attests $kind "$manifest" --pcrs "$(altered $kind.pcrs 150)"
check "an altered log" fails_with 3 "event log: altered does not lead to the digest that the TPM signed" \
	attests $kind "$manifest" --eventlog "$(altered eventlog "$(python3 -c '
import hashlib, json, sys
want = [e["sha256"] for e in json.load(open(sys.argv[1]))["pcrs"]["events"] if e["what"] == "UKI"][0]
print(open("eventlog", "rb").read().index(bytes.fromhex(want)))' "$manifest")")"
truncated() {
	head -c -1 "$1" >shorter
	echo shorter
}
check "a truncated quote" fails_with 3 "the quote is truncated" attests $kind "$manifest" --quote "$(truncated $kind.quote)"
check "a truncated signature" fails_with 3 "the signature is truncated" attests $kind "$manifest" --signature "$(truncated $kind.signature)"
check "a truncated key" fails_with 3 "neither a TPM's public key" attests $kind "$manifest" --ak "$(truncated $kind.ak)"
check "a truncated log" fails_with 3 "is truncated" attests $kind "$manifest" --eventlog "$(truncated eventlog)"
check "truncated PCRs" fails_with 3 "truncated, or not what tpm2_quote -o writes" attests more "$manifest" --pcrs <(head -c 1000 more.pcrs)
check "the log as the quote" fails_with 3 "was not made by a TPM" attests $kind "$manifest" --quote eventlog
check "the quote as the log" fails_with 3 "no 'Spec ID Event03'" attests $kind "$manifest" --eventlog $kind.quote

# edited SED TEXT: a manifest that somebody changed by hand.
edited() {
	sed "$1" "$other" >edited.json && ! cmp -s "$other" edited.json && fails_with 3 "$2" attests $kind edited.json
}
# Values of what runs, in the manifest of what does not.
value() { json_get "$1" "pcrs.sha256.$2"; }
check "a manifest edited by hand: one value" edited "s/$(value "$other" 4)/$(value "$manifest" 4)/" "'events' of PCR 4 do not give its value in sha256"
check "a manifest edited by hand: no PCRs" edited 's/"pcrs"/"prcs"/' "the manifest has no PCRs"

check "no nonce" fails_with 2 "missing argument: --nonce=HEX" "$mkappliance" attest --quote x --signature x --ak x --manifest x
check "a nonce that is none" fails_with 2 "not 1 to 64 bytes of hexadecimal" attests $kind "$manifest" --nonce 0
check "no such file" fails_with 1 "none: No such file" attests $kind "$manifest" --quote none

# ---- a machine without a TPM ----

cd - >/dev/null || exit
no_tpm() {
	timeout 300 "$mkappliance" boot "$tmp/out/witness-1.0.raw" --console >"$tmp/console" 2>&1
	grep -q '"event": "failed", .*"reason": "setup", "detail": "Attest=: no TPM 2.0' "$tmp/console"
}
check "Use=tpm on a machine without one: it fails" no_tpm
