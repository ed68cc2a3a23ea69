#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The network as it is: TLS, resets, cut answers, stalls, endless errors, a wrong clock, throttling, proxies; and what comes after an
# image is registered.
# Takes: 40 s, waiting
. "$(dirname "$0")/functions.sh"
. "$(dirname "$0")/cloud.sh"
requires python3
requires curl

calls=$(dirname "$mkappliance")/calls/cloud_calls
[ -x "$calls" ] || skip "$calls is not built (make tests)"
cloud_start '{"scale": 0.02}' || exit 1
export AWS_ENDPOINT_URL=$cloud_url RETRY_MS=20

fault() { # ACTION KIND MORE
	cloud "{\"faults\": [{\"action\": \"$1\", \"kind\": \"$2\" ${3:+, $3}}]}"
}
retries() { # REASON: a call that succeeds after it
	"$calls" identity >"$tmp/out" && cat "$tmp/out" && grep -q "\"retries\": \"$1\"" "$tmp/out"
}
after() { # KIND MORE REASON
	fault GetCallerIdentity "$1" "$2" && retries "$3"
}
over_tls() {
	AWS_ENDPOINT_URL=$cloud_tls_url AWS_CA_BUNDLE=$cloud_ca "$@"
}

check "over TLS" over_tls "$calls" identity
check "over TLS: a whole snapshot, payloads unsigned" over_tls "$calls" snapshot 1 3
unsigned() {
	cloud_ask "$cloud_url/_fake/log/PutSnapshotBlock" | grep -q UNSIGNED-PAYLOAD
}
check "as AWS's own client does it" unsigned
nobody_vouches() {
	AWS_ENDPOINT_URL=$cloud_tls_url fails_with 1 'TLS: SSL certificate' "$calls" identity
}
check "a certificate that nobody vouches for" nobody_vouches
# A server with a certificate of its own, for another host; and one that says what is no TLS.
wrong_name() {
	local pid status
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/other.key" -out "$tmp/other.pem" -days 2 -subj /CN=other.invalid \
		-addext subjectAltName=DNS:other.invalid 2>/dev/null || return
	openssl s_server -accept 127.0.0.1:0 -cert "$tmp/other.pem" -key "$tmp/other.key" -www >"$tmp/s_server" 2>&1 &
	pid=$!
	comes grep -q '^ACCEPT' "$tmp/s_server"
	AWS_ENDPOINT_URL=https://$(sed -n 's/^ACCEPT //p' "$tmp/s_server") AWS_CA_BUNDLE=$tmp/other.pem fails_with 1 'TLS: ' "$calls" identity
	status=$?
	kill "$pid"
	wait "$pid" 2>/dev/null
	return $status
}
check "a certificate of another host" wrong_name
no_tls() {
	local port
	python3 -c '
import socket
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
c = s.accept()[0]
c.recv(1000)
c.sendall(b"this is no TLS\n")
c.recv(1000)' >"$tmp/port" &
	comes test -s "$tmp/port"
	port=$(cat "$tmp/port")
	AWS_ENDPOINT_URL=https://127.0.0.1:$port fails_with 1 'sts:GetCallerIdentity: TLS: ' "$calls" identity
}
check "no TLS where TLS should be" no_tls

reset() { # on a connection that is used again libcurl itself sends the body once more: one of the two may not be counted
	fault PutSnapshotBlock reset '"at": 100000, "count": 2' && "$calls" snapshot 1 2 >"$tmp/out" && cat "$tmp/out" &&
		grep -q '"retries": "[12] network"' "$tmp/out" && [ "$(cloud_counter fault:reset)" = 2 ]
}
check "a reset in the middle of a block is tried again" reset
check "an answer that is cut is tried again" after cut '"count": 1' '1 network'
check "a connection that closes without an answer is tried again" after close '"count": 1' '1 network'
check "5xx is tried again" after error '"status": 503, "count": 3' '3 5xx'
check "throttling is tried again" after error '"status": 400, "code": "Throttling", "count": 2' '2 throttled'
check "Retry-After is kept" after error '"status": 503, "retry_after": 1, "count": 1' '1 5xx'
endless() {
	fault GetCallerIdentity error '"status": 500, "code": "InternalFailure", "count": 0' &&
		fails_with 1 'sts:GetCallerIdentity: InternalFailure' "$calls" identity && [ "$(cloud_counter fault:error)" -ge 8 ]
}
cloud_ask -X DELETE "$cloud_url/_fake/counters" >/dev/null
check "endless 5xx: an end after 8 attempts" endless
no_answer() { # 20 s without a word; a socket that accepted and says nothing is given up after 15 s
	fault GetCallerIdentity stall '"seconds": 40, "count": 1' && retries '1 timeout'
}
check "a stall is noticed, and tried again" no_answer
cloud '{"faults": []}'
nobody() {
	AWS_ENDPOINT_URL=http://127.0.0.1:9 fails_with 1 'sts:GetCallerIdentity: unreachable: ' timeout 120 "$calls" identity
}
check "nobody there" nobody
denied() {
	fault GetCallerIdentity error '"status": 403, "code": "AccessDenied", "message": "not you", "count": 0' &&
		cloud_ask -X DELETE "$cloud_url/_fake/counters" >/dev/null &&
		fails_with 1 'sts:GetCallerIdentity: AccessDenied: not you (request id ' "$calls" identity && [ "$(cloud_counter fault:error)" = 1 ]
}
check "a permission error is not tried again, and has its request id" denied
cloud '{"faults": []}'

clock() { # SECONDS
	cloud "{\"clock_offset_s\": $1}" && "$calls" identity 3 >"$tmp/out" 2>"$tmp/err" && grep -q '1 clock' "$tmp/out" &&
		grep -q 'the clock of this machine is off by' "$tmp/err" && "$calls" snapshot 1 2 >/dev/null 2>&1
}
check "our clock is an hour slow" clock 3700
check "our clock is an hour fast" clock -3700
cloud '{"clock_offset_s": 0}'
wrong_secret() {
	AWS_SECRET_ACCESS_KEY=wrong fails_with 1 'sts:GetCallerIdentity: SignatureDoesNotMatch' "$calls" identity
}
check "a wrong secret says so" wrong_secret
lags() {
	cloud '{"start_lag_s": 60, "list_lag_s": 60}' && "$calls" snapshot 1 2 >"$tmp/lag" &&
		"$calls" read "$(json_get "$tmp/lag" id)" | tr -d ' \n' | grep -q '"blocks":\[0,1,1,2\]'
}
check "the data plane lags behind: waited for" lags
cloud '{"start_lag_s": 0, "list_lag_s": 0, "page": 3}'
pages() {
	"$calls" snapshot 1 8 >"$tmp/pages" && [ "$("$calls" read "$(json_get "$tmp/pages" id)" | grep -c ,)" -ge 15 ]
}
check "a listing of several pages" pages
corrupted() {
	fault GetSnapshotBlock corrupt '"count": 1' && "$calls" read "$(json_get "$tmp/pages" id)" >"$tmp/read" && grep -q , "$tmp/read" &&
		fault GetSnapshotBlock corrupt '"count": 0' && fails_with 1 'the checksum does not match' "$calls" read "$(json_get "$tmp/pages" id)"
}
check "a block that was altered on its way is fetched again; not for ever" corrupted
cloud '{"faults": []}'
proxied() { # a proxy that nobody is at: with it nothing goes, with no_proxy all
	! http_proxy=http://127.0.0.1:9 timeout 120 "$calls" identity 2>"$tmp/err" && grep -q unreachable "$tmp/err" &&
		http_proxy=http://127.0.0.1:9 no_proxy=127.0.0.1 "$calls" identity
}
check "http_proxy and no_proxy are heard" proxied
interrupted() {
	local pid
	cloud_ask -X DELETE "$cloud_url/_fake/counters" >/dev/null
	fault GetCallerIdentity stall '"seconds": 60, "count": 0'
	"$calls" identity 2>"$tmp/err" &
	pid=$!
	# Not at its first attempt's end: there would be another one.
	comes stalled && kill -INT "$pid"
	wait "$pid"
	cat "$tmp/err"
	grep -q interrupted "$tmp/err" && [ "$(cloud_counter fault:stall)" = 1 ]
}
stalled() { [ "$(cloud_counter fault:stall)" = 1 ]; }
set -m # a job of a script ignores SIGINT otherwise
check "Ctrl-C ends a request that hangs" interrupted
set +m
cloud '{"faults": []}'

# ---- after the image is registered ----
"$calls" snapshot 1 4 >"$tmp/s" && snapshot=$(json_get "$tmp/s" id)
DEPRECATE=$(date -u -d '+1 year' +%Y-%m-%dT00:00:00Z)
export DEPRECATE
dry_run() {
	"$calls" register image "$snapshot" dry-run && [ "$(aws_cli ec2 describe-images --owners self | grep -c ImageId)" = 0 ]
}
check "a dry run of RegisterImage makes nothing" dry_run
"$calls" register image "$snapshot" >"$tmp/i" && image=$(json_get "$tmp/i" id)
as_asked() {
	"$calls" image "$image" >"$tmp/image" && for pair in architecture=x86_64 virtualization=hvm boot_mode=uefi tpm=v2.0 imds=v2.0 \
		root_device=/dev/xvda volume_gib=2 volume_type=gp3 ena=true state=available tag=hello "snapshot=$snapshot"; do
		[ "$(json_get "$tmp/image" "${pair%%=*}")" = "${pair#*=}" ] || { echo "$pair" && return 1; }
	done
}
check "the image is what was asked for" as_asked
check "its name is taken" fails_with 1 'InvalidAMIName.Duplicate' "$calls" register image "$snapshot"
publish() {
	"$calls" publish "$image" image - us-east-1 eu-west-1 us-west-2 >"$tmp/p"
}
check "copies to two regions" publish
places() {
	[ "$(json_get "$tmp/p" places.0.region),$(json_get "$tmp/p" places.1.region),$(json_get "$tmp/p" places.2.region)" = us-east-1,eu-west-1,us-west-2 ] &&
		[ "$(json_get "$tmp/p" places.1.source)" = "$image" ] && [ "$(cloud_counter action:CopyImage)" = 2 ]
}
check "the session's own region is not copied to" places
copy=$(json_get "$tmp/p" places.1.id)
shared() {
	aws_cli --region eu-west-1 ec2 describe-image-attribute --attribute launchPermission --image-id "$copy" | grep -q 444455556666 &&
		aws_cli ec2 describe-image-attribute --attribute launchPermission --image-id "$image" | grep -q 444455556666 &&
		aws_cli ec2 describe-snapshot-attribute --attribute createVolumePermission --snapshot-id "$snapshot" | grep -q 444455556666
}
check "AWS's CLI sees the shares of image and snapshot" shared
dates() {
	aws_cli --region eu-west-1 ec2 describe-images --image-ids "$copy" | grep -q "\"DeprecationTime\": \"$(date -u -d '+1 year' +%Y-%m-%d)" &&
		"$calls" --region eu-west-1 image "$copy" >"$tmp/copy" && [ "$(json_get "$tmp/copy" protected)" = true ]
}
check "and the deprecation; the copy is protected" dates
parameter() {
	[ "$(aws_cli ssm get-parameter --name /tests/image --query Parameter.Value --output text)" = "$image" ] &&
		[ "$(aws_cli --region eu-west-1 ssm get-parameter --name /tests/image --query Parameter.Value --output text)" = "$copy" ]
}
check "each region's parameter holds its own image" parameter
idempotent() {
	cloud_ask -X DELETE "$cloud_url/_fake/counters" >/dev/null
	publish && [ "$(json_get "$tmp/p" places.1.id)" = "$copy" ] && [ "$(cloud_counter action:CopyImage)" = 0 ] &&
		[ "$(cloud_counter action:PutParameter)" = 0 ]
}
check "again: no copy, no parameter is made anew" idempotent
failed_copy() {
	cloud '{"fail_copies": ["ca-central-1"], "copy_s": 5}' && fails_with 1 'in ca-central-1: failed' "$calls" publish "$image" image - ca-central-1 &&
		cloud '{"fail_copies": []}' && "$calls" publish "$image" image - ca-central-1 >"$tmp/p" && [ "$(json_get "$tmp/p" places.1.state)" = available ]
}
check "a copy that failed is said, and made anew the next time" failed_copy
deregistered_copy() { # its token gives it back for a while, and nobody can have it any more
	local gone
	"$calls" publish "$image" image - sa-east-1 >"$tmp/p" && gone=$(json_get "$tmp/p" places.1.id) &&
		cloud_ask -X POST "$cloud_url/_fake/image" -d "{\"id\": \"$gone\", \"state\": \"deregistered\"}" >/dev/null &&
		"$calls" publish "$image" image - sa-east-1 >"$tmp/p" && [ "$(json_get "$tmp/p" places.1.id)" != "$gone" ] &&
		[ "$(json_get "$tmp/p" places.1.state)" = available ]
}
check "a copy that somebody deregistered is made anew" deregistered_copy
unencrypted_copy() {
	fails_with 3 'was copied before, without encryption' "$calls" publish "$image" image arn:aws:kms:sa-east-1:111122223333:key/a sa-east-1
}
check "a copy that is there without the key that is asked for is refused" unencrypted_copy
lost_answer() { # the copy was started, the answer never came: the token leads to the same one
	fault CopyImage late '"count": 1' && "$calls" publish "$image" image - eu-north-1 >"$tmp/p" &&
		[ "$(aws_cli --region eu-north-1 ec2 describe-images --owners self | grep -c '"ImageId"')" = 1 ]
}
check "CopyImage whose answer was lost is one copy" lost_answer
key=arn:aws:kms:eu-west-3:111122223333:key/11111111-2222-3333-4444-555555555555
encrypted() {
	cloud '{"faults": []}' && "$calls" publish "$image" image "$key" eu-west-3 >"$tmp/p" && [ "$(json_get "$tmp/p" places.1.encrypted)" = true ]
}
check "a copy with a key of its region" encrypted
