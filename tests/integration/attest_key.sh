#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# That an attestation key is a TPM's, and which TPM's: the question that mkappliance asks is opened by tpm2_activatecredential in the right TPM
# with the right key, and by nobody else; the quote that answers it is taken. The TPM is swtpm, extended with what the image's start measures.
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3
requires swtpm
requires swtpm_setup swtpm-tools
requires swtpm_localca swtpm-tools
requires tpm2 tpm2-tools
requires openssl

synthetic_inputs "$tmp/in"
check "build" synthetic_build "$tmp/in" "$tmp/out" --quiet || exit
manifest=$tmp/out/synthetic-1.0.manifest.json

# ---- two TPMs, each with endorsement certificates by a maker of its own ----

# They are started in the subshell of a check: what is known of them outside is their files.
stop_servers() {
	cat "$tmp"/*/pid 2>/dev/null | xargs -r kill 2>/dev/null
}
at_exit stop_servers
# make_tpm NAME: its state in $tmp/NAME, its maker in $tmp/NAME-maker.
make_tpm() {
	local maker=$tmp/$1-maker
	mkdir "$tmp/$1" "$maker" && : >"$maker/options" &&
		printf '%s\n' "statedir=$maker" "signingkey=$maker/key.pem" "issuercert=$maker/issuer.pem" "certserial=$maker/serial" >"$maker/localca.conf" &&
		printf '%s\n' "create_certs_tool=$(command -v swtpm_localca)" "create_certs_tool_config=$maker/localca.conf" \
			"create_certs_tool_options=$maker/options" "active_pcr_banks=sha256,sha384" >"$maker/setup.conf" &&
		swtpm_setup --tpm2 --tpmstate "$tmp/$1" --config "$maker/setup.conf" --createek --create-ek-cert --runas "$(id -un)" &&
		cat "$maker/issuer.pem" "$maker"/swtpm-localca-rootca-cert.pem >"$maker/ca.pem"
}
start_tpm() {
	swtpm socket --tpm2 --tpmstate dir="$tmp/$1" --server type=unixio,path="$tmp/$1/s" --ctrl type=unixio,path="$tmp/$1/s.ctrl" \
		--flags not-need-init,startup-clear >"$tmp/$1.log" 2>&1 &
	echo $! >"$tmp/$1/pid"
	! comes test -S "$tmp/$1/s" -a -S "$tmp/$1/s.ctrl" || return 0
	cat "$tmp/$1.log"
	return 1
}
# in_tpm NAME COMMAND...: nothing that was loaded stays in the TPM.
in_tpm() {
	local TPM2TOOLS_TCTI=swtpm:path=$tmp/$1/s status=0
	export TPM2TOOLS_TCTI
	shift
	"$@" || status=$?
	tpm2_flushcontext -t && return $status
}
rsa=0x81010001 ecc=0x81010016 # where swtpm_setup puts them
make_keys() {
	local name=$1
	cd "$tmp/$name" && tpm2_nvread -C o -o rsa.crt 0x1c00002 && tpm2_nvread -C o -o ecc.crt 0x1c00016 &&
		tpm2_readpublic -c $rsa -o rsa.ek && tpm2_readpublic -c $rsa -f pem -o rsa.pem && tpm2_readpublic -c $rsa -f der -o rsa.der &&
		tpm2_createek -c new.ctx -G ecc -u new.ek && tpm2_flushcontext -t &&
		tpm2_createak -C $rsa -c ak.ctx -G ecc -g sha256 -s ecdsa -u ak.pub -n ak.name && tpm2_flushcontext -t &&
		tpm2_createak -C $rsa -c other.ctx -G rsa -g sha256 -s rsapss -u other.pub -n other.name
}
# What firmware and stub would have extended.
extend() {
	python3 -c '
import json, sys
for e in json.load(open(sys.argv[1]))["pcrs"]["events"]:
    print("%d:sha256=%s,sha384=%s" % (e["pcr"], e["sha256"], e["sha384"]))' "$manifest" | xargs tpm2_pcrextend
}
for name in one two; do
	check "TPM $name" make_tpm $name && check "TPM $name starts" start_tpm $name && check "TPM $name: its keys" in_tpm $name make_keys $name || exit
done
check "TPM one measures the image" in_tpm one extend

# ---- question and answer ----

# ask EK [OPTION...]: writes $tmp/question, and the nonce to $tmp/nonce.
ask() {
	"$mkappliance" attest --challenge "$tmp/question" --ek "$@" >"$tmp/nonce"
}
policy() {
	tpm2_startauthsession --policy-session -S "$tmp/session" && tpm2_policysecret -Q -S "$tmp/session" -c e
}
# open_by EK AK: as the machine does it; what comes out is in $tmp/answer.
open_by() {
	local status=0 auth=()
	rm -f "$tmp/answer"
	# The keys of the templates for larger sizes take the empty password, the others the policy.
	[ "$1" = $ecc ] || { policy && auth=(-P "session:$tmp/session") || return; }
	tpm2_activatecredential -Q -c "$2" -C "$1" -i "$tmp/question" -o "$tmp/answer" "${auth[@]}" || status=$?
	[ "$1" = $ecc ] || tpm2_flushcontext "$tmp/session"
	return $status
}
answered() {
	[ "$(od -An -v -tx1 -w32 "$tmp/answer" | tr -d ' \n')" = "$(cat "$tmp/nonce")" ]
}
# opens TPM EK-HANDLE EK [OPTION...]: the whole exchange.
opens() {
	local tpm=$1 handle=$2 key=$3
	shift 3
	ask "$key" --ak "$tmp/$tpm/ak.pub" "$@" && in_tpm "$tpm" open_by "$handle" "$tmp/$tpm/ak.ctx" && answered
}
ca=(--ek-ca "$tmp/one-maker/ca.pem")
check "an RSA key as TPM2B_PUBLIC" opens one $rsa "$tmp/one/rsa.ek"
check "in PEM" opens one $rsa "$tmp/one/rsa.pem"
check "in DER" opens one $rsa "$tmp/one/rsa.der"
check "as a certificate" opens one $rsa "$tmp/one/rsa.crt"
check "whose maker is known" opens one $rsa "$tmp/one/rsa.crt" "${ca[@]}"
check "an elliptic one of P-384, by its certificate" opens one $ecc "$tmp/one/ecc.crt" "${ca[@]}"
check "an elliptic one of P-256" opens one "$tmp/one/new.ctx" "$tmp/one/new.ek"
as_json() {
	ask "$tmp/one/rsa.crt" --ak "$tmp/one/ak.pub" "${ca[@]}" --json && [ "$(json_get "$tmp/nonce" certified)" = true ] &&
		[ "$(json_get "$tmp/nonce" ak_name)" = "$(od -An -v -tx1 -w64 "$tmp/one/ak.name" | tr -d ' ')" ] && json_get "$tmp/nonce" nonce | grep -qxE '[0-9a-f]{64}'
}
check "--json" as_json

not_opened() {
	! "$@" && [ ! -s "$tmp/answer" ]
}
check "another key's question" ask "$tmp/one/rsa.crt" --ak "$tmp/one/other.pub"
check "is not opened with this one" not_opened in_tpm one open_by $rsa "$tmp/one/ak.ctx"
check "another TPM's question" ask "$tmp/two/rsa.crt" --ak "$tmp/one/ak.pub"
check "is not opened by this one" not_opened in_tpm one open_by $rsa "$tmp/one/ak.ctx"
check "nor by the other without the key" not_opened in_tpm two open_by $rsa "$tmp/two/ak.ctx"

# ---- the quote that answers ----

quote() {
	tpm2_quote -Q -c "$tmp/one/$1.ctx" -l sha256:4,7,11,12+sha384:4,7,11,12 -q "$tmp/answer" -m "$tmp/quote" -s "$tmp/signature" -o "$tmp/pcrs" \
		--scheme "$([ "$1" = ak ] && echo ecdsa || echo rsapss)"
}
attests() {
	"$mkappliance" attest --quote "$tmp/quote" --signature "$tmp/signature" --pcrs "$tmp/pcrs" --ak "$tmp/one/ak.pub" --manifest "$manifest" --nonce "$@"
}
check "the question" opens one $rsa "$tmp/one/rsa.crt" "${ca[@]}"
check "a quote with its nonce" in_tpm one quote ak
check "is by that TPM, and of this image" attests "$(cat "$tmp/nonce")"
stale() {
	ask "$tmp/one/rsa.crt" --ak "$tmp/one/ak.pub" && fails_with 3 "it is stale, or of another question" attests "$(cat "$tmp/nonce")"
}
check "which does not answer the next question" stale
by_another_key() {
	opens one $rsa "$tmp/one/rsa.crt" && in_tpm one quote other && fails_with 3 "was not made by the key" attests "$(cat "$tmp/nonce")"
}
check "nor does a quote by another key" by_another_key

# ---- refused ----

refused() {
	local code=$1 text=$2
	shift 2
	rm -f "$tmp/question"
	fails_with "$code" "$text" ask "$@" && [ ! -e "$tmp/question" ] && [ ! -s "$tmp/nonce" ]
}
ak=(--ak "$tmp/one/ak.pub")
check "a maker that is not known" refused 3 "rsa.crt: the endorsement certificate does not lead to a maker that is believed" \
	"$tmp/one/rsa.crt" "${ak[@]}" --ek-ca "$tmp/two-maker/ca.pem"
expired() {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/ca.key" -subj /CN=maker -out "$tmp/ca.crt" 2>/dev/null &&
		openssl req -new -key "$tmp/ca.key" -subj /CN=tpm -out "$tmp/ek.csr" &&
		openssl x509 -req -in "$tmp/ek.csr" -force_pubkey "$tmp/one/rsa.pem" -CA "$tmp/ca.crt" -CAkey "$tmp/ca.key" -days "$1" -out "$tmp/ek.crt" 2>/dev/null
}
lapsed() {
	expired 1 && opens one $rsa "$tmp/ek.crt" --ek-ca "$tmp/ca.crt" && expired -1 &&
		refused 3 "certificate has expired" "$tmp/ek.crt" "${ak[@]}" --ek-ca "$tmp/ca.crt"
}
check "an expired certificate" lapsed
check "a maker's file without certificates" refused 2 "the file of --ek-ca holds no certificate" "$tmp/one/rsa.crt" "${ak[@]}" --ek-ca "$tmp/ca.key"
check "a public key that no maker vouches for" refused 3 "no maker vouches for it" "$tmp/one/rsa.pem" "${ak[@]}" "${ca[@]}"
check "as TPM2B_PUBLIC" refused 3 "no maker vouches for it" "$tmp/one/rsa.ek" "${ak[@]}" "${ca[@]}"
check "an attestation key as the endorsement key" refused 3 "not an endorsement key" "$tmp/one/ak.pub" "${ak[@]}"
check "an endorsement key as the attestation key" refused 3 "not an attestation key" "$tmp/one/rsa.ek" --ak "$tmp/one/rsa.ek"
check "an attestation key in PEM, which has no name" refused 3 "neither a TPM's public key" "$tmp/one/rsa.ek" --ak "$tmp/one/rsa.pem"
check "no endorsement key" fails_with 2 "missing argument: --ek=FILE" "$mkappliance" attest --challenge "$tmp/question" "${ak[@]}"
check "a question and an answer at once" refused 2 "not together with a quote" "$tmp/one/rsa.ek" "${ak[@]}" --nonce 00
check "--ek without a question" fails_with 2 "--ek goes with --challenge=FILE" attests 00 --ek "$tmp/one/rsa.ek"
check "no such file" refused 1 "No such file" "$tmp/none" "${ak[@]}"
check "no place for the question" fails_with 1 "No such file" "$mkappliance" attest --challenge "$tmp/none/question" --ek "$tmp/one/rsa.ek" "${ak[@]}"
