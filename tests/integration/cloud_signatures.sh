#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What our client sends, before AWS's own eyes: the signature of every request equals the one that botocore makes for it, with and without
# TLS, with long-lived and with temporary keys; and moto (PyPI), which checks signatures by botocore itself, takes the control calls.
. "$(dirname "$0")/functions.sh"
. tests/integration/cloud.sh
requires openssl
requires curl
/usr/bin/python3 -c 'import botocore' 2>/dev/null || skip "python3-botocore is not installed (apt-get install python3-botocore)"
calls=$(dirname "$mkappliance")/calls
[ -x "$calls/control_calls" ] || skip "$calls/control_calls is not built (make tests)"
export PYTHONDONTWRITEBYTECODE=1

cloud_start '{}' || exit
export CLOUD_URL=$cloud_url AWS_CA_BUNDLE=$cloud_ca AWS_REGION=us-east-1

# tour ENDPOINT NAME: each call at least once; words in NAME must survive all encodings.
tour() {
	local snapshot
	snapshot=$("$calls/cloud_calls" --endpoint-url "$1" snapshot 2 "$((RANDOM % 20 + 3))" | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])') &&
		"$calls/cloud_calls" --endpoint-url "$1" read "$snapshot" >/dev/null &&
		"$calls/cloud_calls" --endpoint-url "$1" in-use >/dev/null &&
		"$calls/control_calls" --endpoint-url "$1" "$2" "$snapshot" deprecate >"$tmp/tour.json" &&
		[ "$(json_get "$tmp/tour.json" tag)" = 'a/b+c=d&e%f~g' ] && [ "$(json_get "$tmp/tour.json" snapshot_state)" = completed ] &&
		[ "$(json_get "$tmp/tour.json" shared_with)" = 444455556666 ] && [ "$(json_get "$tmp/tour.json" parameter)" = true ]
}
check "all calls without TLS" tour "$cloud_url" "plain (1.0) [x] ./-'@_"
check "all calls with TLS" tour "$cloud_tls_url" tls-1.0
with_a_session() {
	local credentials
	cloud '{"roles": {"arn:aws:iam::111122223333:role/r": {}}}' &&
		credentials=$(aws_cli sts assume-role --role-arn arn:aws:iam::111122223333:role/r \
			--role-session-name tour --query 'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]' --output text) || return
	read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN <<<"$credentials"
	export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
	tour "$cloud_tls_url" session-1.0
}
in_a_session() { (with_a_session); }
check "all calls with a session token" in_a_session
refused_nothing() {
	cloud_ask "$cloud_url/_fake/counters" | python3 -c '
import json, sys
refused = {k: v for k, v in json.load(sys.stdin).items() if k.startswith("refused:") or k == "bad-request"}
sys.exit("%s" % refused if refused else 0)'
}
check "no signature was refused" refused_nothing
check "each signature is botocore's" /usr/bin/python3 tests/integration/fakecloud_signatures.py mkappliance 20
wrong_secret_differs() {
	cloud '{"credentials": {"'"$AWS_ACCESS_KEY_ID"'": {"secret": "another", "account": "111122223333", "arn": "a"}}}' &&
		/usr/bin/python3 tests/integration/fakecloud_signatures.py mkappliance 20 | grep -q 'StartSnapshot: botocore signs'
}
check "  (with another secret they would differ)" wrong_secret_differs

# moto: a first user made without a signature, then everybody needs one.
moto=build/oracles/bin/moto_server
if [ ! -x "$moto" ]; then
	check_skip "moto" "no moto in build/oracles (scripts/setup test)"
	exit
fi
moto_port=$(free_port)
INITIAL_NO_AUTH_ACTION_COUNT=3 "$moto" -H 127.0.0.1 -p "$moto_port" >"$tmp/moto.log" 2>&1 &
moto_pid=$!
stop_moto() { kill "$moto_pid" 2>/dev/null; }
at_exit stop_moto
export AWS_ENDPOINT_URL=http://127.0.0.1:$moto_port
comes curl -s --noproxy '*' -o /dev/null "$AWS_ENDPOINT_URL/moto-api/"
moto_user() {
	build/oracles/bin/python - "$AWS_ENDPOINT_URL" >"$tmp/moto.key" <<-'PY'
		import json, sys
		import boto3
		iam = boto3.client("iam", endpoint_url=sys.argv[1])
		iam.create_user(UserName="tester")
		allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
		iam.put_user_policy(UserName="tester", PolicyName="all", PolicyDocument=json.dumps(allowed))
		key = iam.create_access_key(UserName="tester")["AccessKey"]
		print(key["AccessKeyId"], key["SecretAccessKey"])
	PY
	read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY <"$tmp/moto.key" && export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
}
moto_user || {
	echo "not ok moto: its first user"
	exit 1
}
moto_tour() {
	local snapshot
	snapshot=$(build/oracles/bin/python -c '
import boto3, sys
print(boto3.client("ebs", endpoint_url=sys.argv[1]).start_snapshot(VolumeSize=1)["SnapshotId"])' "$AWS_ENDPOINT_URL") &&
		"$calls/control_calls" moto-1.0 "$snapshot" >"$tmp/moto.json" &&
		[ "$(json_get "$tmp/moto.json" account)" = 123456789012 ] && [ "$(json_get "$tmp/moto.json" tag)" = 'a/b+c=d&e%f~g' ] &&
		[ "$(json_get "$tmp/moto.json" state)" = available ] && [ "$(json_get "$tmp/moto.json" shared_with)" = 444455556666 ] &&
		[ "$(json_get "$tmp/moto.json" copy_name)" = moto-1.0 ] && [ "$(json_get "$tmp/moto.json" parameter)" = true ]
}
check "moto takes every control call and tells the same" moto_tour
moto_refuses() {
	! AWS_SECRET_ACCESS_KEY=wrong "$calls/cloud_calls" identity 2>"$tmp/refused" && grep -q SignatureDoesNotMatch "$tmp/refused"
}
check "  (it refuses a wrong signature)" moto_refuses
moto_blocks() {
	! "$calls/cloud_calls" snapshot 1 1 2>"$tmp/refused" && grep -q 'blocks of 512 bytes' "$tmp/refused"
}
check "moto's blocks of 512 bytes are refused" moto_blocks
