#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What an image says of itself can be proved: it comes out again from its inputs, and its bills of materials say what changed.
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3
requires setpriv util-linux

synthetic_inputs "$tmp/in"
mkdir -p "$tmp/in/base/lib/apk/db"
printf 'P:%s\nV:%s\nA:x86_64\nL:MIT\n\n' musl 1.2.4-r2 zlib 1.3-r0 gone 1 >"$tmp/in/base/lib/apk/db/installed"
check "build" synthetic_build "$tmp/in" "$tmp/out" || exit
built=synthetic-1.0
manifest=$tmp/out/$built.manifest.json

# ---- rebuild ----

mkdir -m 1777 "$tmp/scratch"
# again DIR [OPTION...]: rebuilds from the inputs in DIR.
again() {
	local inputs=$1
	shift
	TMPDIR=$tmp/scratch MKAPPLIANCE_INIT=$inputs/init "$mkappliance" rebuild --manifest "$manifest" "$inputs" "$@"
}
identical() {
	"$@" >"$tmp/said" || return
	grep -qx "identical: every byte of synthetic 1.0 comes out again" "$tmp/said"
}
check "rebuild: identical" identical again "$tmp/in"
as_json() {
	again "$tmp/in" --json >"$tmp/said" && [ "$(json_get "$tmp/said" identical)" = true ] &&
		[ "$(json_get "$tmp/said" root_hash)" = "$(json_get "$manifest" verity.root_hash)" ]
}
check "rebuild: --json" as_json
check "rebuild: --quiet says nothing" test -z "$(again "$tmp/in" --quiet 2>&1)"

elsewhere() {
	local place=$tmp/elsewhere/of/another/length
	mkdir -p "$place" && cp -a "$tmp/in" "$place/" &&
		(cd "$place/in" && umask 077 && TZ=Pacific/Auckland LC_ALL=C.UTF-8 TMPDIR=$tmp/scratch \
			MKAPPLIANCE_INIT=../in/init identical "$mkappliance" rebuild --manifest "$manifest")
}
check "rebuild: in another place, time zone and locale" elsewhere
by_somebody() {
	install -m 755 "$mkappliance" "$tmp/mkappliance" &&
		TMPDIR=$tmp/scratch MKAPPLIANCE_INIT=$tmp/in/init identical setpriv --reuid=65534 --regid=65534 --clear-groups \
			"$tmp/mkappliance" rebuild --manifest "$manifest" "$tmp/in"
}
if [ "$(id -u)" -eq 0 ]; then
	# Owners of a directory are those on the disk, and root's are root's for him too.
	check "rebuild: by another user" by_somebody
else
	check_skip "rebuild: by another user" "needs root to become one"
fi

# differs TEXT COMMAND...: changes a copy of the inputs by the command; what is said has TEXT on one line.
differs() {
	local text=$1
	shift
	rm -rf "$tmp/changed" && cp -a "$tmp/in" "$tmp/changed" && (cd "$tmp/changed" && "$@") && fails_with 3 "$text" again "$tmp/changed"
}
append() { echo "$2" >>"$1"; }
flip() { printf 'P' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none && touch -d @1600000000 "$1"; }
check "rebuild: another file" differs "partition 'root' differs, first in /srv/page: its root hash" append page more
check "rebuild: and why" differs "cause: input file 'page' has the SHA-256" append page more
check "rebuild: a byte in a file of a directory" differs "first in /usr/bin/application: its root hash" flip base/usr/bin/application 700000
check "rebuild: which no digest knows" differs "cause: none among the inputs" flip base/usr/bin/application 700000
check "rebuild: another kernel" differs "partition 'esp' differs: the kernel image, outside of its initrd; cause: input kernel 'vmlinuz'" \
	flip vmlinuz 300000
check "rebuild: another init" differs "partition 'esp' differs: the initrd in the kernel image; cause: input init" append init more
check "rebuild: another command line" differs "cause: the kernel's command line is 'loglevel=4 console=ttyS1" sed -i s/ttyS0/ttyS1/ appliance.conf
check "rebuild: another version of a package" differs "cause: package musl (x86_64) is version 1.2.5-r0, the manifest says 1.2.4-r2" \
	sed -i s/1.2.4-r2/1.2.5-r0/ base/lib/apk/db/installed
check "rebuild: only the template's text" differs "every byte of the image is the same, but input template 'appliance.conf'" \
	append appliance.conf "# a comment"
difference_as_json() {
	local status=0
	again "$tmp/changed" --json >"$tmp/said" 2>"$tmp/errors" || status=$?
	[ $status -eq 3 ] && [ "$(json_get "$tmp/said" identical)" = false ] && json_get "$tmp/said" first_difference | grep -q "input template"
}
check "rebuild: a difference, --json" difference_as_json

without_blocks() {
	mkdir -p "$tmp/alone" && cp "$manifest" "$tmp/alone/" && rm -rf "$tmp/changed" && cp -a "$tmp/in" "$tmp/changed" &&
		echo more >>"$tmp/changed/page" && manifest=$tmp/alone/$built.manifest.json &&
		fails_with 3 "with the .blocks of that build beside the manifest the file is named" again "$tmp/changed"
}
check "rebuild: with the manifest alone" without_blocks

# edited SED TEXT: a manifest that somebody changed by hand.
edited() {
	mkdir -p "$tmp/edited" && cp "$tmp/out/$built.blocks" "$tmp/edited/" && sed "$1" "$tmp/out/$built.manifest.json" >"$tmp/edited/$built.manifest.json" &&
		! cmp -s "$tmp/out/$built.manifest.json" "$tmp/edited/$built.manifest.json" && manifest=$tmp/edited/$built.manifest.json &&
		fails_with 3 "$2" again "$tmp/in"
}
check "rebuild: a manifest edited by hand, a license" edited '0,/"MIT"/s//"GPL-2"/' "but not the manifest: line "
check "rebuild: a manifest edited by hand, the kernel's digest" edited "/\"name\": \"vmlinuz\"/,/size/s/\"sha256\": \"../&ab/;s/\(\"sha256\": \"..ab.\{60\}\)..\"/\1\"/" \
	"every byte of the image is the same, but input kernel 'vmlinuz'"
check "rebuild: a manifest edited by hand, the root hash" edited 's/"root_hash": "../"root_hash": "00/' "the UUIDs of root and root-verity are not those of the root hash"
check "rebuild: no manifest" fails_with 1 "No such file" "$mkappliance" rebuild --manifest "$tmp/none.json" "$tmp/in"
check "rebuild: not a manifest" fails_with 3 "not valid JSON" "$mkappliance" rebuild --manifest Makefile "$tmp/in"
check "rebuild: without a manifest" fails_with 2 "--manifest=FILE" "$mkappliance" rebuild "$tmp/in"
check "rebuild: no such template" fails_with 2 "$tmp/none" again "$tmp/none"
check "rebuild leaves nothing behind" test -z "$(ls -A "$tmp/scratch")"

# ---- sbom ----

rm -rf "$tmp/next"
cp -a "$tmp/in" "$tmp/next"
printf 'P:%s\nV:%s\nA:x86_64\nL:MIT\n\n' musl 1.2.5-r0 zlib 1.3-r0 new 2 >"$tmp/next/base/lib/apk/db/installed"
check "another build" synthetic_build "$tmp/next" "$tmp/out2" --quiet --version 2.0
spdx=$tmp/out/$built.spdx.json
spdx2=$tmp/out2/synthetic-2.0.spdx.json

printf 'apk %s x86_64\n' 'gone 1' 'musl 1.2.4-r2' 'zlib 1.3-r0' >"$tmp/listed"
check "sbom of an image" diff "$tmp/listed" <("$mkappliance" sbom "$tmp/out/$built.raw")
check "sbom of a manifest" diff "$tmp/listed" <("$mkappliance" sbom "$manifest")
check "sbom of an SPDX document" diff "$tmp/listed" <("$mkappliance" sbom "$spdx")
cat >"$tmp/changes" <<-'END'
	removed  apk gone x86_64 1
	changed  apk musl x86_64 1.2.4-r2 -> 1.2.5-r0
	added    apk new x86_64 2
END
check "sbom: what changed" diff "$tmp/changes" <("$mkappliance" sbom "$tmp/out/$built.raw" "$tmp/out2/synthetic-2.0.raw")
check "sbom: what changed between SPDX documents" diff "$tmp/changes" <("$mkappliance" sbom "$spdx" "$spdx2")
check "sbom: nothing changed" diff <(echo "the same 3 packages") <("$mkappliance" sbom "$spdx" "$manifest")
changes_json() {
	"$mkappliance" sbom "$spdx" "$spdx2" --json | python3 -c '
import json, sys
d = json.load(sys.stdin)
assert (d["from"]["name"], d["from"]["version"], d["to"]["version"]) == ("synthetic", "1.0", "2.0"), d
got = [(c["change"], c["name"], c["from"], c["to"]) for c in d["changes"]]
assert got == [("removed", "gone", "1", None), ("changed", "musl", "1.2.4-r2", "1.2.5-r0"), ("added", "new", None, "2")], got'
}
check "sbom: --json" changes_json
check "sbom: no such file" fails_with 1 "No such file" "$mkappliance" sbom "$tmp/none.raw"
check "sbom: an image without its manifest" fails_with 1 "without its manifest" "$mkappliance" sbom "$tmp/in/page"
printf '{"spdxVersion": "SPDX-3.0"}' >"$tmp/three.json"
check "sbom: another version of SPDX" fails_with 3 "'SPDX-3.0' is not a version of SPDX" "$mkappliance" sbom "$tmp/three.json"
printf '{"spdxVersion": "SPDX-2.3", "name": "x"}' >"$tmp/empty.json"
check "sbom: SPDX without packages" fails_with 3 "'packages' is missing" "$mkappliance" sbom "$tmp/empty.json"
cp "$tmp/in/appliance.conf" "$tmp/conf.json"
check "sbom: something else" fails_with 3 "conf.json" "$mkappliance" sbom "$tmp/out/$built.raw" "$tmp/conf.json"

# ---- CycloneDX ----

python=build/oracles/bin/python
cyclonedx=$tmp/out3/$built.cdx.json
check "build --sbom cyclonedx" synthetic_build "$tmp/in" "$tmp/out3" --quiet --sbom cyclonedx
check "the image is the same" same_bytes "$tmp/out/$built.raw" "$tmp/out3/$built.raw"
check "no CycloneDX unless asked for" test ! -e "$tmp/out/$built.cdx.json"
check "build: no such format" fails_with 2 "--sbom=swid: there is spdx" synthetic_build "$tmp/in" "$tmp/none" --sbom swid
cyclonedx_says() {
	python3 - "$cyclonedx" "$manifest" <<-'PY'
		import json, sys
		d, m = (json.load(open(f)) for f in sys.argv[1:])
		assert d["metadata"]["timestamp"] == "2020-09-13T12:26:40Z", d["metadata"]
		c = d["metadata"]["component"]
		assert (c["name"], c["version"]) == ("synthetic", "1.0"), c
		assert {"name": "mkappliance:root-hash", "value": m["verity"]["root_hash"]} in c["properties"], c
		inputs = [c for c in d["components"] if c["bom-ref"].startswith("input-")]
		packages = [c for c in d["components"] if c["bom-ref"].startswith("package-")]
		assert [c["hashes"][0]["content"] for c in inputs] == [i["sha256"] for i in m["inputs"]]
		assert [(c["name"], c["version"]) for c in packages] == [(p["name"], p["version"]) for p in m["packages"]]
		assert packages[1]["purl"] == "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64", packages[1]
		assert packages[1]["licenses"] == [{"expression": "MIT"}], packages[1]
		assert d["dependencies"][0]["dependsOn"] == [c["bom-ref"] for c in d["components"]]
	PY
}
check "CycloneDX says what the manifest says" cyclonedx_says
# valid_cyclonedx FILE VERSION: by the JSON schema of OWASP.
valid_cyclonedx() {
	"$python" - "$1" "$2" <<-'PY'
		import sys
		from cyclonedx.schema import SchemaVersion
		from cyclonedx.validation.json import JsonStrictValidator
		error = JsonStrictValidator(SchemaVersion.from_version(sys.argv[2])).validate_str(open(sys.argv[1]).read())
		sys.exit(f"{error}" if error else 0)
	PY
}
invalid_cyclonedx() {
	sed 's/"SHA-256"/"SHA-257"/' "$cyclonedx" >"$tmp/wrong.cdx.json" && ! valid_cyclonedx "$tmp/wrong.cdx.json" 1.5
}
as_1_6() {
	sed 's/"specVersion": "1.5"/"specVersion": "1.6"/' "$cyclonedx" >"$tmp/1.6.cdx.json" && valid_cyclonedx "$tmp/1.6.cdx.json" 1.6
}
if "$python" -c 'import cyclonedx.validation.json' 2>/dev/null; then
	check "CycloneDX: valid by its schema" valid_cyclonedx "$cyclonedx" 1.5
	check "CycloneDX: and would be in 1.6" as_1_6
	check "CycloneDX: the schema sees what is wrong" invalid_cyclonedx
else
	check_skip "CycloneDX's schema: 3 checks" "cyclonedx-python-lib is not installed (scripts/setup)"
fi

# ---- provenance ----

statement=$tmp/out/$built.intoto.json
openssl genrsa -out "$tmp/rsa.key" 2048 2>/dev/null
openssl ecparam -genkey -name prime256v1 -noout -out "$tmp/p256.key"
openssl ecparam -genkey -name secp384r1 -noout -out "$tmp/p384.key"
openssl genpkey -algorithm ed25519 -out "$tmp/ed25519.key"
openssl ecparam -genkey -name secp521r1 -noout -out "$tmp/p521.key"
for curve in secp256k1 brainpoolP256r1; do
	openssl ecparam -genkey -name $curve -noout -out "$tmp/$curve.key"
done
openssl genrsa -out "$tmp/small.key" 1024 2>/dev/null
for key in rsa p256 p384 ed25519; do
	openssl pkey -in "$tmp/$key.key" -pubout -out "$tmp/$key.pub"
done

statement_says() {
	python3 - "$1" "$manifest" "$tmp/out" <<-'PY'
		import hashlib, json, sys
		s, m, out = json.load(open(sys.argv[1])), json.load(open(sys.argv[2])), sys.argv[3]
		image, files = s["subject"][0], s["subject"][1:]
		assert image["digest"]["sha256_linear"] == m["blocks"]["sha256_linear"], image
		assert image["annotations"]["root_hash"] == m["verity"]["root_hash"], image
		assert image["annotations"]["pcrs"] == m["pcrs"], image
		assert [f["name"].partition("1.0.")[2] for f in files] == ["manifest.json", "blocks", "spdx.json"], files
		for f in files:
		    assert f["digest"]["sha256"] == hashlib.sha256(open(out + "/" + f["name"], "rb").read()).hexdigest(), f
		dependencies = s["predicate"]["buildDefinition"]["resolvedDependencies"]
		assert [d["digest"]["sha256"] for d in dependencies] == [i["sha256"] for i in m["inputs"]]
	PY
}
check "provenance: subjects and inputs by their digests" statement_says "$statement"
# By the protocol buffers of in-toto: an unknown or misplaced member is an error.
valid_statement() {
	"$python" - "$1" <<-'PY'
		import json, sys
		from google.protobuf import json_format, struct_pb2
		from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
		from in_toto_attestation.v1 import statement_pb2
		from in_toto_attestation.v1.statement import Statement
		s = json.load(open(sys.argv[1]))
		pb = json_format.ParseDict(s, statement_pb2.Statement())
		Statement.copy_from_pb(pb).validate()
		json_format.ParseDict(s["predicate"], provenance_pb2.Provenance())
	PY
}
invalid_statement() {
	sed 's/"resolvedDependencies"/"dependencies"/' "$statement" >"$tmp/wrong.intoto.json" && ! valid_statement "$tmp/wrong.intoto.json"
}
# signed_by KEY SCHEME: the DSSE signature, in the eyes of securesystemslib.
signed_by() {
	"$python" - "$tmp/signed-$1/$built.intoto.json" "$tmp/$1.pub" "$2" "$statement" <<-'PY'
		import json, sys
		from cryptography.hazmat.primitives.serialization import load_pem_public_key
		from securesystemslib.dsse import Envelope
		from securesystemslib.signer import SSlibKey
		d = json.load(open(sys.argv[1]))
		key = SSlibKey.from_crypto(load_pem_public_key(open(sys.argv[2], "rb").read()), keyid=d["signatures"][0]["keyid"], scheme=sys.argv[3])
		e = Envelope.from_dict(d)
		e.verify([key], 1)
		assert e.payload == open(sys.argv[4], "rb").read()
	PY
}
build_signed() {
	synthetic_build "$tmp/in" "$tmp/signed-$1" --quiet --provenance-key "$tmp/$1.key"
}
with_oracle=
"$python" -c 'import in_toto_attestation, securesystemslib.dsse, cryptography' 2>/dev/null && with_oracle=1
if [ -n "$with_oracle" ]; then
	check "provenance: valid by in-toto's definition" valid_statement "$statement"
	check "provenance: which sees what is wrong" invalid_statement
else
	check_skip "provenance in the eyes of in-toto and securesystemslib: 6 checks" "they are not installed (scripts/setup)"
fi
while read -r key scheme; do
	check "provenance: build with a key, $key" build_signed "$key"
	[ -z "$with_oracle" ] || check "provenance: securesystemslib verifies it, $key" signed_by "$key" "$scheme"
	check "verify: provenance by this key, $key" "$mkappliance" verify "$tmp/signed-$key/$built.raw" --quiet --provenance-key "$tmp/$key.pub"
done <<-'END'
	rsa rsa-pkcs1v15-sha256
	p256 ecdsa-sha2-nistp256
	p384 ecdsa-sha2-nistp384
	ed25519 ed25519
END
signed_again() {
	cp "$tmp/signed-$1/$built.intoto.json" "$tmp/before" && build_signed "$1" && cmp "$tmp/before" "$tmp/signed-$1/$built.intoto.json"
}
check "provenance: again, the same bytes, RSA" signed_again rsa
check "provenance: again, the same bytes, Ed25519" signed_again ed25519
by_template() {
	cp -a "$tmp/in" "$tmp/key-in" && cp "$tmp/rsa.key" "$tmp/key-in/" && printf '[Sign]\nProvenanceKey=rsa.key\n' >>"$tmp/key-in/appliance.conf" &&
		synthetic_build "$tmp/key-in" "$tmp/key-out" --quiet &&
		"$mkappliance" verify "$tmp/key-out/$built.raw" --quiet --provenance-key "$tmp/rsa.pub"
}
check "[Sign] ProvenanceKey=" by_template
certificate() {
	openssl req -x509 -new -key "$tmp/rsa.key" -subj /CN=builder -out "$tmp/rsa.crt" 2>/dev/null &&
		"$mkappliance" verify "$tmp/key-out/$built.raw" --quiet --provenance-key "$tmp/rsa.crt"
}
check "verify: the key's certificate does as well" certificate

in_token() {
	PKCS11_MODULE_PATH=$(dpkg-query -L libsofthsm2 | grep 'libsofthsm2.so$' | head -n 1) && mkdir "$tmp/tokens" &&
		printf 'directories.tokendir = %s\n' "$tmp/tokens" >"$tmp/softhsm2.conf" &&
		export PKCS11_MODULE_PATH SOFTHSM2_CONF=$tmp/softhsm2.conf &&
		softhsm2-util --init-token --free --label builder --pin 1234 --so-pin 1234 && openssl pkey -in "$tmp/rsa.key" -out "$tmp/rsa.p8" &&
		softhsm2-util --import "$tmp/rsa.p8" --token builder --label key --id 01 --pin 1234 &&
		synthetic_build "$tmp/in" "$tmp/token" --quiet --provenance-key "pkcs11:token=builder;object=key;type=private?pin-value=1234" &&
		cmp "$tmp/token/$built.intoto.json" "$tmp/signed-rsa/$built.intoto.json" &&
		fails_with 1 "pkcs11:token=none" synthetic_build "$tmp/in" "$tmp/none" --provenance-key "pkcs11:token=none;object=key"
}
if command -v softhsm2-util >/dev/null && openssl engine pkcs11 >/dev/null 2>&1; then
	check "provenance: by a key that never leaves its token" in_token
else
	check_skip "provenance: a key in a PKCS#11 token" "softhsm2 or OpenSSL's engine is not installed"
fi

key_refused() {
	fails_with 2 "$2" synthetic_build "$tmp/in" "$tmp/none" --provenance-key "$tmp/$1" && [ ! -e "$tmp/none" ]
}
check "provenance: a curve that nobody verifies" key_refused p521.key "ECDSA over P-256 or P-384"
check "provenance: a curve of as many bits" key_refused secp256k1.key "ECDSA over P-256 or P-384"
check "provenance: another one" key_refused brainpoolP256r1.key "ECDSA over P-256 or P-384"
check "provenance: too few bits" key_refused small.key "RSA of 2048 bits and more"
check "provenance: a public key" key_refused rsa.pub "holds no private key"

verify_signed() { "$mkappliance" verify "$tmp/signed-rsa/$built.raw" --provenance-key "$1"; }
check "verify: signed by another key" fails_with 3 "none of its signatures was made by the key" verify_signed "$tmp/ed25519.pub"
check "verify: no key at all" fails_with 2 "neither a public key nor a certificate" verify_signed "$tmp/in/page"
check "verify: a statement that is not signed" fails_with 3 "the statement is not signed" \
	"$mkappliance" verify "$tmp/out/$built.raw" --provenance-key "$tmp/rsa.pub"
# forged TEXT PYTHON: the envelope d after a change.
forged() {
	mkdir -p "$tmp/forged" && cp --sparse=always "$tmp/signed-rsa/"* "$tmp/forged/" && python3 - "$tmp/forged/$built.intoto.json" "$2" <<-'PY' || return
		import base64, json, sys
		d = json.load(open(sys.argv[1]))
		s = base64.b64decode(d["payload"])
		exec(sys.argv[2])
		json.dump(d, open(sys.argv[1], "w"))
	PY
	fails_with 3 "$1" "$mkappliance" verify "$tmp/forged/$built.raw" --provenance-key "$tmp/rsa.pub"
}
check "verify: a payload that was altered" forged "none of its signatures" 'd["payload"] = base64.b64encode(s.replace(b"1.0", b"1.1")).decode()'
check "verify: another type of payload" forged "and not 'application/vnd.in-toto+json'" 'd["payloadType"] = "text/plain"'
check "verify: a payload that is not base64" forged "not base64" 'd["payload"] = "a*=="'
check "verify: no signatures" forged "none of its signatures" 'd["signatures"] = []'
check "verify: a signature that was altered" forged "none of its signatures" 'd["signatures"][0]["sig"] = "AAAA" + d["signatures"][0]["sig"][4:]'
two_signatures() {
	mkdir -p "$tmp/forged" && cp --sparse=always "$tmp/signed-rsa/"* "$tmp/forged/" && python3 - "$tmp/forged/$built.intoto.json" <<-'PY' || return
		import json, sys
		d = json.load(open(sys.argv[1]))
		d["signatures"].insert(0, {"keyid": "another", "sig": "AAAA"})
		json.dump(d, open(sys.argv[1], "w"))
	PY
	"$mkappliance" verify "$tmp/forged/$built.raw" --quiet --provenance-key "$tmp/rsa.pub" &&
		fails_with 3 "none of its signatures" "$mkappliance" verify "$tmp/forged/$built.raw" --provenance-key "$tmp/p256.pub"
}
check "verify: of two signatures one is by the key" two_signatures
manifest_edited() {
	mkdir -p "$tmp/forged" && cp --sparse=always "$tmp/signed-rsa/"* "$tmp/forged/" && sed -i 's/"timeout": 120/"timeout": 121/' "$tmp/forged/$built.manifest.json" &&
		! cmp -s "$manifest" "$tmp/forged/$built.manifest.json" &&
		fails_with 3 "is of another manifest than" "$mkappliance" verify "$tmp/forged/$built.raw" --provenance-key "$tmp/rsa.pub"
}
check "verify: a manifest edited by hand" manifest_edited
# bill_edited DIR FILE [OPTION...]: the bill of materials of that build, with another license.
bill_edited() {
	rm -rf "$tmp/forged" && mkdir "$tmp/forged" && cp --sparse=always "$1/"* "$tmp/forged/" && sed -i '0,/"MIT"/s//"0BSD"/' "$tmp/forged/$2" &&
		! cmp -s "$1/$2" "$tmp/forged/$2" && fails_with 3 "$2: not what was built" "$mkappliance" verify "$tmp/forged/$built.raw" "${@:3}" &&
		rm "$tmp/forged/$2" && "$mkappliance" verify "$tmp/forged/$built.raw" --quiet "${@:3}"
}
check "verify: an SPDX document edited by hand" bill_edited "$tmp/signed-rsa" "$built.spdx.json" --provenance-key "$tmp/rsa.pub"
check "verify: a CycloneDX document edited by hand, nothing signed" bill_edited "$tmp/out3" "$built.cdx.json"
# by_hand PYTHON: the manifest d after a change by hand, and nobody signed it.
by_hand() {
	mkdir -p "$tmp/by-hand" && cp --sparse=always "$tmp/out/$built".* "$tmp/by-hand/" && rm "$tmp/by-hand/$built.intoto.json" && python3 - "$tmp/by-hand/$built.manifest.json" "$1" <<-'PY'
		import hashlib, json, sys
		d = json.load(open(sys.argv[1]))
		def pcrs_again():
		    for bank, size in ("sha256", 32), ("sha384", 48):
		        for pcr in d["pcrs"][bank]:
		            value = bytes(size)
		            for e in d["pcrs"]["events"]:
		                if str(e["pcr"]) == pcr:
		                    value = hashlib.new(bank, value + bytes.fromhex(e[bank])).digest()
		            d["pcrs"][bank][pcr] = value.hex()
		exec(sys.argv[2])
		json.dump(d, open(sys.argv[1], "w"))
	PY
}
by_hand_refused() {
	by_hand "$1" && fails_with 3 "$2" "$mkappliance" verify "$tmp/by-hand/$built.raw" --quiet
}
written_anew() { by_hand 'pcrs_again()' && "$mkappliance" verify "$tmp/by-hand/$built.raw" --quiet; }
check "verify: a manifest that was written anew" written_anew
check "verify: a PCR edited by hand, with the event that gives it" by_hand_refused 'd["pcrs"]["events"][2]["sha256"] = "00" * 32; pcrs_again()' "PCR 4 of the manifest"
check "verify: an event taken out" by_hand_refused 'd["pcrs"]["events"] = [e for e in d["pcrs"]["events"] if e["what"] != ".initrd"]; pcrs_again()' "PCR 11 of the manifest"
check "verify: the version edited by hand" by_hand_refused 'd["version"] = "2.0"' "name and version of /appliance.conf"
# What was compared with the signature is what is believed: nobody can put another one there between two looks.
read_once() {
	"$mkappliance" verify "$tmp/signed-rsa/$built.raw" --quiet --provenance-key "$tmp/rsa.pub" --manifest <(cat "$tmp/signed-rsa/$built.manifest.json")
}
check "verify: the manifest is read once" read_once
with_sha256() {
	synthetic_build "$tmp/in" "$tmp/sums" --quiet --sha256 &&
		[ "$(json_get "$tmp/sums/$built.intoto.json" subject.0.digest.sha256)" = "$(sha256sum <"$tmp/sums/$built.raw" | cut -d' ' -f1)" ]
}
check "provenance: the image's SHA-256 where it was asked for" with_sha256

# ---- what an earlier build has left ----

left_there() { # COUNT
	[ "$(find "$tmp/left" -name "$built.raw.sha256" -o -name "$built.cdx.json" | wc -l)" -eq "$1" ]
}
same_again() {
	synthetic_build "$tmp/in" "$tmp/left" --quiet --sha256 --sbom cyclonedx && synthetic_build "$tmp/in" "$tmp/left" --quiet && left_there 2 &&
		(cd "$tmp/left" && sha256sum -c --quiet "$built.raw.sha256")
}
check "build: the same image again leaves its checksum and CycloneDX" same_again
another_one() {
	synthetic_build "$tmp/next" "$tmp/left" --quiet && left_there 0 && "$mkappliance" verify "$tmp/left/$built.raw" --quiet
}
check "build: those of an image that is replaced are gone" another_one
