# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # variables of functions.sh, and for the test
#
# A fake cloud of the test's own (tests/fakecloud/README.md). After functions.sh:
#
#   . "$(dirname "$0")/cloud.sh"
#   cloud_start ['{"latency_ms": 20}']   serves $cloud_state; sets cloud_url, cloud_tls_url, cloud_ca and AWS's variables
#   cloud '{"faults": [...]}'            changes settings
#   cloud_counter NAME                   prints a counter, 0 when there is none
#   cloud_kill; cloud_start              the same cloud after a crash
#
#   aws_cli ec2 ...                      Debian's aws (an aws of another place may come first) against it; aws_url says where else

cloud_state=$tmp/cloud
cloud_ca=$tmp/certificate/ca.pem
cloud_pid=
cloud_port=0
cloud_tls_port=0

cloud_kill() {
	[ -z "$cloud_pid" ] || { kill -9 "$cloud_pid" && wait "$cloud_pid"; } 2>/dev/null
	cloud_pid=
}
at_exit cloud_kill

cloud_is_up_or_gone() { [ -e "$tmp/cloud.ready" ] || ! kill -0 "$cloud_pid" 2>/dev/null; }
cloud_start() {
	if [ ! -e "$cloud_ca" ]; then
		mkdir -p "$tmp/certificate"
		python3 tests/fakecloud certificate "$tmp/certificate" || return
	fi
	rm -f "$tmp/cloud.ready"
	python3 tests/fakecloud serve "$cloud_state" --ready "$tmp/cloud.ready" --port "$cloud_port" --tls-port "$cloud_tls_port" \
		--cert "$tmp/certificate/cert.pem" --key "$tmp/certificate/key.pem" --settings "${1:-{\}}" >"$tmp/cloud.log" 2>&1 &
	cloud_pid=$!
	comes cloud_is_up_or_gone
	[ -e "$tmp/cloud.ready" ] || {
		cat "$tmp/cloud.log"
		return 1
	}
	cloud_port=$(json_get "$tmp/cloud.ready" port) cloud_tls_port=$(json_get "$tmp/cloud.ready" tls_port)
	cloud_url=http://127.0.0.1:$cloud_port cloud_tls_url=https://127.0.0.1:$cloud_tls_port
	export AWS_ACCESS_KEY_ID=AKIAFAKEFAKEFAKEFAKE AWS_SECRET_ACCESS_KEY=wJalr/fake+secret/KEYFAKEFAKEFAKEFAKEFAKE
	export AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
	unset AWS_PROFILE AWS_SESSION_TOKEN AWS_REGION
}

cloud_ask() {
	curl -sS --noproxy '*' --fail-with-body "$@"
}

cloud() {
	cloud_ask -X PATCH "$cloud_url/_fake/settings" -d "$1" >/dev/null
}

cloud_counter() {
	cloud_ask "$cloud_url/_fake/counters" | python3 -c 'import json, sys; print(json.load(sys.stdin).get(sys.argv[1], 0))' "$1"
}

aws_cli() {
	AWS_MAX_ATTEMPTS=1 AWS_PAGER='' /usr/bin/aws --endpoint-url "${aws_url:-$cloud_url}" --ca-bundle "$cloud_ca" --output json "$@"
}

# with_policy JSON-FILE: a second key that may do what the policy says, and no more; limited COMMAND...: with that key
with_policy() {
	cloud "$(python3 -c '
import json, sys
print(json.dumps({"credentials": {
    "AKIAFAKEFAKEFAKEFAKE": {"secret": "wJalr/fake+secret/KEYFAKEFAKEFAKEFAKEFAKE", "account": "111122223333", "arn": "arn:aws:iam::111122223333:user/tester"},
    "AKIALIMITED": {"secret": "limited", "account": "111122223333", "arn": "arn:aws:iam::111122223333:user/limited", "policy": json.load(open(sys.argv[1]))}}}))' "$1")"
}
limited() {
	AWS_ACCESS_KEY_ID=AKIALIMITED AWS_SECRET_ACCESS_KEY=limited "$@"
}
