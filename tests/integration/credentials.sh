#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every place where credentials may come from, each compared with whom AWS's own library (botocore) takes us for on the same files.
. "$(dirname "$0")/functions.sh"
. "$(dirname "$0")/cloud.sh"
requires python3

calls=$(dirname "$mkappliance")/calls/cloud_calls
[ -x "$calls" ] || skip "$calls is not built (make tests)"
/usr/bin/python3 -c 'import botocore' 2>/dev/null || skip "python3-botocore is not installed"

keys() { # NAME: an entry of the fake's credentials
	printf '"AKIA%s": {"secret": "secret/+of/%s", "account": "111122223333", "arn": "arn:aws:iam::111122223333:user/%s"}' "$1" "$1" "$1"
}
role() {
	printf 'arn:aws:iam::111122223333:role/%s' "$1"
}
cloud_start "{\"credentials\": {$(keys ENV), $(keys FILE), $(keys CONFIG), $(keys PROCESS), $(keys SOURCE), $(keys BOTH)},
	\"roles\": {\"$(role plain)\": {\"trust\": [\"*\"]}, \"$(role outside)\": {\"trust\": [\"*\"], \"external_id\": \"e x/t\"},
		\"$(role second)\": {\"trust\": [\"*\"]}},
	\"web_identity_tokens\": {\"web.token\": [\"$(role web)\"]},
	\"sso_tokens\": {\"sso-token\": [\"$(role sso)\", \"$(role old-sso)\"]},
	\"imds\": {\"role\": \"instance-role\", \"region\": \"eu-central-1\"}}" || exit 1

export HOME=$tmp/home
mkdir -p "$HOME/.aws/sso/cache"
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_DEFAULT_REGION
export AWS_EC2_METADATA_SERVICE_ENDPOINT=$cloud_url AWS_EC2_METADATA_DISABLED=true

cat >"$HOME/process" <<'END'
#!/bin/sh
[ "$1" = "one word" ] || exit 1
echo '{"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "secret/+of/PROCESS"}'
END
cat >"$HOME/old-process" <<'END'
#!/bin/sh
echo '{"Version": 2, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "secret/+of/PROCESS"}'
END
cat >"$HOME/failing" <<'END'
#!/bin/sh
echo 'the vault is locked' >&2
exit 3
END
chmod +x "$HOME"/process "$HOME"/old-process "$HOME"/failing
printf web.token >"$HOME/web.token"

cat >"$HOME/.aws/credentials" <<'END'
# a comment
[file]
aws_access_key_id = AKIAFILE
aws_secret_access_key=secret/+of/FILE

[both]
  aws_access_key_id : AKIABOTH
  aws_secret_access_key : secret/+of/BOTH
[source]
aws_access_key_id = AKIASOURCE
aws_secret_access_key = secret/+of/SOURCE
[half]
aws_access_key_id = AKIAFILE
END
cat >"$HOME/.aws/config" <<END
[default]
region = eu-west-1
[profile config]
aws_access_key_id = AKIACONFIG
aws_secret_access_key = secret/+of/CONFIG
region = us-west-2
s3 =
  max_concurrent_requests = 20
  endpoint_url = http://s3.invalid
[profile both]
aws_access_key_id = AKIACONFIG
aws_secret_access_key = secret/+of/CONFIG
[profile process]
credential_process = "$HOME/process" "one word"
[profile old-process]
credential_process = $HOME/old-process
[profile failing]
credential_process = $HOME/failing
[profile no-program]
credential_process = $HOME/nowhere
[profile role]
role_arn = $(role plain)
source_profile = source
role_session_name = of-the-test
[profile outside]
role_arn = $(role outside)
source_profile = source
external_id = e x/t
duration_seconds = 1800
[profile wrong-id]
role_arn = $(role outside)
source_profile = source
external_id = other
[profile chain]
role_arn = $(role second)
source_profile = role
[profile role-of-process]
role_arn = $(role plain)
source_profile = process
[profile by-env]
role_arn = $(role plain)
credential_source = Environment
[profile by-instance]
role_arn = $(role plain)
credential_source = Ec2InstanceMetadata
[profile by-container]
role_arn = $(role plain)
credential_source = EcsContainer
[profile circle]
role_arn = $(role plain)
source_profile = circle2
[profile circle2]
role_arn = $(role plain)
source_profile = circle
[profile nowhere]
role_arn = $(role plain)
source_profile = not-there
[profile no-source]
role_arn = $(role plain)
[profile mfa]
role_arn = $(role plain)
source_profile = source
mfa_serial = arn:aws:iam::111122223333:mfa/me
[profile web]
role_arn = $(role web)
web_identity_token_file = $HOME/web.token
role_session_name = web-session
[profile web-gone]
role_arn = $(role web)
web_identity_token_file = $HOME/gone.token
[profile old-sso]
sso_start_url = https://sso.invalid/start
sso_region = eu-west-1
sso_account_id = 111122223333
sso_role_name = old-sso
[profile sso]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = sso
[profile sso-role]
role_arn = $(role plain)
source_profile = old-sso
[profile sso-denied]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = admin
[profile sso-not-logged-in]
sso_session = other
sso_account_id = 111122223333
sso_role_name = sso
[profile sso-expired]
sso_session = expired
sso_account_id = 111122223333
sso_role_name = sso
[profile empty]
region = eu-west-1
[profile "with blank"]
aws_access_key_id = AKIACONFIG
aws_secret_access_key = secret/+of/CONFIG
[profile endpoints]
services = mine
endpoint_url = http://all.invalid
[services mine]
ec2 =
  endpoint_url = http://ec2.invalid
[sso-session corp]
sso_start_url = https://sso.invalid/start
sso_region = eu-west-1
sso_registration_scopes = sso:account:access
[sso-session other]
sso_start_url = https://sso.invalid/other
sso_region = eu-west-1
[sso-session expired]
sso_start_url = https://sso.invalid/start
sso_region = eu-west-1
END
sso_cache() { # NAME EXPIRES
	printf '{"accessToken": "sso-token", "expiresAt": "%s", "region": "eu-west-1"}\n' "$2" \
		>"$HOME/.aws/sso/cache/$(printf %s "$1" | sha1sum | cut -d' ' -f1).json"
}
sso_cache corp 2099-01-01T00:00:00Z
sso_cache https://sso.invalid/start 2099-01-01T00:00:00Z
sso_cache expired 2001-01-01T00:00:00Z

# What a session is called when nobody says is each client's own affair.
normal() {
	sed -E 's,/(mkappliance|botocore-session)-[0-9]+$,/SESSION,'
}
ours() { # [PROFILE]
	local out
	if out=$(AWS_DEFAULT_REGION=eu-west-1 AWS_ENDPOINT_URL=$cloud_url "$calls" ${1:+--profile "$1"} identity 2>"$tmp/ours.err"); then
		python3 -c 'import json, sys; print(json.loads(sys.argv[1])["arn"])' "$out" | normal
	elif grep -q 'no AWS credentials' "$tmp/ours.err"; then
		echo none
	else
		echo error
	fi
}
theirs() {
	AWS_DEFAULT_REGION=eu-west-1 python_botocore "$@" 2>"$tmp/theirs.err" | normal
}
python_botocore() {
	/usr/bin/python3 tests/integration/botocore_identity.py "$cloud_url" "$@"
}
# same WHO [PROFILE]: both say WHO (the end of the ARN, none or error).
same() {
	local who=$1 a b
	shift
	a=$(ours "$@") b=$(theirs "$@")
	[[ $a == "$b" && $a == *"$who" ]] && return
	echo "ours: $a, botocore: $b, expected: $who"
	cat "$tmp/ours.err" "$tmp/theirs.err"
	return 1
}
says() { # TEXT PROFILE
	AWS_DEFAULT_REGION=eu-west-1 AWS_ENDPOINT_URL=$cloud_url fails_with "$1" "$2" "$calls" --profile "$3" identity
}

with_env_keys() {
	AWS_ACCESS_KEY_ID=AKIAENV AWS_SECRET_ACCESS_KEY=secret/+of/ENV "$@"
}
check "nothing configured: none" same none
check "keys of the environment" with_env_keys same user/ENV
with_profile_env() {
	AWS_PROFILE='file' with_env_keys same user/ENV && AWS_PROFILE='file' same user/FILE &&
		AWS_DEFAULT_PROFILE=config same user/CONFIG
}
check "AWS_PROFILE and AWS_DEFAULT_PROFILE, and the environment's keys before them" with_profile_env
check "a profile that was asked for goes before the environment" with_env_keys same user/FILE file
check "credentials file" same user/FILE file
check "config file, with nested settings" same user/CONFIG config
check "a name with a blank" same user/CONFIG 'with blank'
check "the credentials file before the config file" same user/BOTH both
check "credential_process with a quoted word" same user/PROCESS process
check "source_profile, role_session_name" same assumed-role/plain/of-the-test role
check "external_id and duration_seconds" same assumed-role/outside/SESSION outside
check "a wrong external_id" same error wrong-id
check "a role by a role" same assumed-role/second/SESSION chain
check "a role by a process" same assumed-role/plain/SESSION role-of-process
check "credential_source = Environment" with_env_keys same assumed-role/plain/SESSION by-env
check "credential_source = Environment without keys" same error by-env
check "web identity of a profile" same assumed-role/web/web-session web
with_web_env() {
	AWS_WEB_IDENTITY_TOKEN_FILE=$HOME/web.token AWS_ROLE_ARN=$(role web) AWS_ROLE_SESSION_NAME=from-env same "$@"
}
check "web identity of the environment" with_web_env assumed-role/web/from-env
check "SSO with a session" same assumed-role/sso/i-0123456789abcdef0 sso
check "SSO as it was" same assumed-role/old-sso/i-0123456789abcdef0 old-sso
check "a role by SSO" same assumed-role/plain/SESSION sso-role
check "SSO: a role that is refused" same error sso-denied
check "SSO: not logged in" same error sso-not-logged-in
check "SSO: expired" same error sso-expired

container() { # relative URIs lead to an address of the container service: the full one here
	AWS_CONTAINER_CREDENTIALS_FULL_URI=$cloud_url/container/credentials \
		AWS_CONTAINER_AUTHORIZATION_TOKEN=${token-container-token} same "$@"
}
container_elsewhere() {
	AWS_ENDPOINT_URL=$cloud_url AWS_CONTAINER_CREDENTIALS_FULL_URI=http://$1/container/credentials \
		fails_with 2 'neither https nor an address' "$calls" identity
}
check "container" container assumed-role/container-role/i-0123456789abcdef0
check "credential_source = EcsContainer" container assumed-role/plain/SESSION by-container
no_token() {
	token='' container error
}
check "container: without its token refused" no_token
for host in example.invalid 127.0.0.1.example.invalid 169.254.170.2.example.invalid 169.254.169.254 \
	127.0.0.1:80@example.invalid localhost:80@example.invalid '[::1]@example.invalid'; do
	check "container: plain HTTP to $host is refused" container_elsewhere "$host"
done
container_relative() {
	AWS_ENDPOINT_URL=$cloud_url AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=:80@example.invalid/ \
		fails_with 2 'neither https nor an address' "$calls" identity
}
check "container: a relative path that makes another host of it" container_relative
container_token_file() { # botocore 1.29 does not know it
	printf container-token >"$tmp/container.token"
	AWS_ENDPOINT_URL=$cloud_url AWS_CONTAINER_CREDENTIALS_FULL_URI=$cloud_url/container/credentials \
		AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=$tmp/container.token "$calls" identity | grep -q container-role
}
check "container: the token of a file" container_token_file

instance() {
	AWS_EC2_METADATA_DISABLED=false same "$@"
}
check "instance, IMDSv2" instance assumed-role/instance-role/i-0123456789abcdef0
check "credential_source = Ec2InstanceMetadata" instance assumed-role/plain/SESSION by-instance
never_v1() {
	[ "$(cloud_counter imds:without-token)" = 0 ]
}
check "never a request to IMDS without a token (v1)" never_v1
instance_region() {
	AWS_CONFIG_FILE=/dev/null AWS_EC2_METADATA_DISABLED=false AWS_ENDPOINT_URL=$cloud_url "$calls" identity | grep -q '"region": "eu-central-1"'
}
check "the region that the instance says" instance_region
no_role() {
	cloud '{"imds": {"region": "eu-central-1"}}' && instance none && grep -q 'the instance has no role' "$tmp/ours.err"
}
check "an instance without a role" no_role
refusing() {
	cloud '{"imds": {"refuse": true}}' && instance none && grep -q 'HTTP status 403' "$tmp/ours.err"
}
check "an instance that refuses" refusing

check "half a pair" says 2 'aws_access_key_id without aws_secret_access_key' half
check "no such profile" says 2 "profile 'missing' is neither in" missing
check "a program that fails says why" says 1 'the vault is locked' failing
check "a program that is not there" says 1 "credential_process of profile 'no-program'" no-program
check "a program of another version" says 1 '"Version": 1' old-process
check "a circle of profiles" says 2 'in a circle' circle
check "a source that is nowhere" says 2 "source_profile 'not-there' is nowhere" nowhere
check "a role without a source" says 2 'needs source_profile or credential_source' no-source
check "a role with MFA" says 2 'mfa_serial needs somebody' mfa
check "a web token that is gone" says 1 'gone.token' web-gone
check "not logged in: the command that helps" says 1 'aws sso login --profile sso-not-logged-in' sso-not-logged-in
check "login expired" says 1 'the login has expired' sso-expired

bad_config() { # TEXT MESSAGE
	printf '%b' "$1" >"$tmp/bad.config"
	AWS_CONFIG_FILE=$tmp/bad.config fails_with 2 "bad.config:$2" "$calls" credentials
}
check "config: a key before any section" bad_config 'secret = x\n' '1: a key before'
check "config: a line that is none" bad_config '[default]\nAKIASECRET\n' '2: a line is KEY = VALUE'
quotes_nothing() {
	! bad_config '[default]\nAKIASECRET\n' AKIASECRET >/dev/null
}
check "config: what may be a secret is not quoted" quotes_nothing
check "config: a section twice" bad_config '[a]\n[a]\n' '2: section [a] is there twice'
check "config: a key twice" bad_config '[a]\nb=1\nB=2\n' "3: key 'b' is there twice"
check "config: a header without its end" bad_config '[a\n' '1: a section is [NAME]'

region_of() { # EXPECTED [VARIABLE=VALUE...] [-- ARGUMENT...]
	local want=$1 got
	shift
	got=$(with_env_keys env "$@" "$calls" credentials) && grep -qF "\"region\": \"$want\"" <<<"$got" && return
	echo "$got"
	return 1
}
check "region: profile" region_of eu-west-1
check "region: AWS_DEFAULT_REGION before the profile" region_of ap-south-1 AWS_DEFAULT_REGION=ap-south-1
check "region: AWS_REGION before AWS_DEFAULT_REGION" region_of ca-west-1 AWS_REGION=ca-west-1 AWS_DEFAULT_REGION=ap-south-1
endpoint_of() { # SERVICE URL VARIABLE=VALUE...
	local key=$1 url=$2 got
	shift 2
	got=$(with_env_keys env "$@" "$calls" credentials) && grep -qF "\"$key\": \"$url\"" <<<"$got" && return
	echo "$got"
	return 1
}
check "endpoint: services section" endpoint_of ec2 http://ec2.invalid AWS_PROFILE=endpoints
check "endpoint: endpoint_url of the profile" endpoint_of ebs http://all.invalid AWS_PROFILE=endpoints
check "endpoint: AWS_ENDPOINT_URL before the profile's" endpoint_of ebs http://env.invalid AWS_PROFILE=endpoints AWS_ENDPOINT_URL=http://env.invalid
check "endpoint: services before AWS_ENDPOINT_URL" endpoint_of ec2 http://ec2.invalid AWS_PROFILE=endpoints AWS_ENDPOINT_URL=http://env.invalid
check "endpoint: AWS_ENDPOINT_URL_EC2 before all" endpoint_of ec2 http://one.invalid AWS_PROFILE=endpoints AWS_ENDPOINT_URL_EC2=http://one.invalid
ignored() {
	! endpoint_of ec2 http AWS_PROFILE=endpoints AWS_ENDPOINT_URL=http://env.invalid AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true >/dev/null &&
		with_env_keys env AWS_PROFILE=endpoints AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true "$calls" credentials >"$tmp/out" &&
		! grep -q '"ec2"' "$tmp/out"
}
check "endpoint: all of that ignored on demand" ignored

web_newline() {
	echo web.token >"$HOME/web.token" && [ "$(ours web)" = arn:aws:sts::111122223333:assumed-role/web/web-session ]
}
check "web identity: a newline at the end of the token does no harm" web_newline

export AWS_DEFAULT_REGION=eu-west-1
# ---- renewal ----
expiring() { # a role whose session lasts 2 s, asked for 4 s
	cloud '{"session_s": 2}' &&
		AWS_ENDPOINT_URL=$cloud_url "$calls" --profile role identity 8 500 >"$tmp/out" && cat "$tmp/out" &&
		grep -q of-the-test "$tmp/out" && [ "$(cloud_counter action:AssumeRole)" -ge 2 ]
}
check "credentials that expire are renewed in between" expiring
revoked() { # they look good for long, but the service says ExpiredToken
	cloud '{"session_s": null, "faults": [{"action": "GetCallerIdentity", "kind": "error", "status": 403, "code": "ExpiredToken", "skip": 1, "count": 1}]}' &&
		AWS_ENDPOINT_URL=$cloud_url "$calls" --profile role identity 3 >"$tmp/out" && cat "$tmp/out" &&
		grep -q '1 credentials' "$tmp/out"
}
check "ExpiredToken: renewed once, and again" revoked

# ---- secrets stay where they are ----
no_secret_said() {
	VERBOSE=1 AWS_ENDPOINT_URL=$cloud_url "$calls" --profile chain identity >"$tmp/said" 2>&1 &&
		VERBOSE=1 AWS_ENDPOINT_URL=$cloud_url "$calls" --profile process identity >>"$tmp/said" 2>&1 &&
		! grep -E 'secret/|FwoGZX|Signature=' "$tmp/said"
}
check "not a secret in what is said, not even with --verbose" no_secret_said
no_core() { # nobody but root may look into it, and there is no core dump
	local pid status=0
	AWS_ENDPOINT_URL=$cloud_url "$calls" --profile file identity 100 300 >/dev/null &
	pid=$!
	comes is_closed "$pid" || status=1
	kill "$pid"
	wait "$pid" 2>/dev/null
	return $status
}
is_closed() { # PID
	[ -e "/proc/$1/environ" ] || return
	if [ "$(id -u)" -eq 0 ]; then [ "$(stat -c %U "/proc/$1/environ")" = root ]; else [ ! -r "/proc/$1/environ" ]; fi
}
check "the process cannot be looked into" no_core
