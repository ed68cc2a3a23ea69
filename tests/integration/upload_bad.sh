#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# upload, when something is wrong: one line that says what and how to mend it, and nothing half made that the same command cannot go on with.
# Takes: 90 s, waiting
. "$(dirname "$0")/functions.sh"
. "$(dirname "$0")/cloud.sh"
requires python3
requires openssl
requires curl

for version in 1 2; do
	sed "s|=../../|=$PWD/|; s/^Environment=.*/Environment=VERSION=$version/" templates/hello/appliance.conf >"$tmp/appliance.conf"
	"$mkappliance" build "$tmp/appliance.conf" -o "$tmp/out" --version $version --quiet || {
		echo "not ok version $version builds"
		exit 1
	}
done
one=$tmp/out/hello-1.raw two=$tmp/out/hello-2.raw

cloud_start '{"scale": 0.1}' || exit 1
export AWS_ENDPOINT_URL=$cloud_url
upload() { "$mkappliance" upload "$@"; }
field() { json_get "$1" "$2"; }
puts() { cloud_counter action:PutSnapshotBlock; }

# refuses CODE TEXT COMMAND...: and no block was sent
refuses() {
	local before
	before=$(puts)
	fails_with "$@" && [ "$(puts)" = "$before" ]
}

# ---- who, and whether allowed ----
without() { env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY "$@"; }
check "no credentials" refuses 1 'credentials' without "$mkappliance" upload "$one"
check "a wrong secret" refuses 1 'SignatureDoesNotMatch' env AWS_SECRET_ACCESS_KEY=wrong "$mkappliance" upload "$one"
check "an unknown key" refuses 1 'InvalidClientTokenId' env AWS_ACCESS_KEY_ID=AKIANOSUCHKEY0000000 "$mkappliance" upload "$one"
check "no region" refuses 2 'region' env -u AWS_DEFAULT_REGION "$mkappliance" upload "$one"

by_process() { # its arguments may be secrets, and so are its answers
	printf '#!/bin/sh\necho "{\\"Version\\": 1, \\"AccessKeyId\\": \\"%s\\", \\"SecretAccessKey\\": \\"%s\\"}"\n' \
		"$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" >"$tmp/process" && chmod 755 "$tmp/process" &&
		printf '[default]\ncredential_process = %s --pin hidden\n' "$tmp/process" >"$tmp/config" &&
		AWS_CONFIG_FILE=$tmp/config without "$mkappliance" upload "$one" --dry-run --verbose 2>"$tmp/log" &&
		grep -qxF "+ $tmp/process ..." "$tmp/log" && ! grep -qF -e hidden -e "$AWS_SECRET_ACCESS_KEY" "$tmp/log"
}
check "--verbose shows neither the secret nor the arguments of credential_process" by_process

# denied ACTION TEXT: by a policy of the account
denied() {
	cloud "{\"credentials\": {\"AKIAFAKEFAKEFAKEFAKE\": {\"secret\": \"$AWS_SECRET_ACCESS_KEY\", \"account\": \"111122223333\",
		\"arn\": \"arn:aws:iam::111122223333:user/tester\", \"deny\": [\"$1\"]}}}"
	local status=0
	cloud_ask -X DELETE "$cloud_url/_fake/counters" >/dev/null
	fails_with 1 "$2" "$mkappliance" upload "$one" --name denied --connections 1 || status=1
	[ "$(cloud_counter "action:${1#*:}")" = 1 ] || status=1 # it is not tried again
	cloud '{"credentials": null}'
	return $status
}
check "RegisterImage is denied: before anything is sent" denied ec2:RegisterImage 'ec2:RegisterImage'
check "  (nothing was)" [ "$(puts)" = 0 ]
check "StartSnapshot is denied" denied ebs:StartSnapshot 'ebs:StartSnapshot'
check "PutSnapshotBlock is denied: at once, with action, snapshot and request id" denied ebs:PutSnapshotBlock 'ebs:PutSnapshotBlock snap-'
request_id() { fails_with 1 'request id' denied ebs:PutSnapshotBlock 'request id' || denied ebs:PutSnapshotBlock 'request id'; }
check "  (request id)" request_id

# ---- which image ----
mkdir "$tmp/mixed"
cp --sparse=always "$one" "$tmp/mixed/x.raw"
cp "${one%.raw}.blocks" "$tmp/mixed/x.blocks"
check "no manifest" refuses 1 'its manifest is needed' upload "$tmp/mixed/x.raw"
check "the manifest of another image" refuses 3 'another build' upload "$tmp/mixed/x.raw" --manifest "${two%.raw}.manifest.json"
cp "${one%.raw}.manifest.json" "$tmp/mixed/x.manifest.json"
rm "$tmp/mixed/x.blocks"
check "no list of blocks" refuses 1 'list of blocks' upload "$tmp/mixed/x.raw"
cp "${two%.raw}.blocks" "$tmp/mixed/x.blocks"
check "the list of blocks of another image" refuses 3 'another build' upload "$tmp/mixed/x.raw"
cp "${one%.raw}.blocks" "$tmp/mixed/x.blocks"
truncate -s -1M "$tmp/mixed/x.raw"
check "a truncated image" refuses 3 'the manifest says' upload "$tmp/mixed/x.raw"
cp --sparse=always "$one" "$tmp/mixed/x.raw"
printf x | dd of="$tmp/mixed/x.raw" bs=1 seek=$((1048576 + 700000)) conv=notrunc status=none
check "an image that changed since it was built" fails_with 3 'is not what was built' upload "$tmp/mixed/x.raw" --name changed
registered_none() { ! cloud_ask "$cloud_url/_fake/objects/images" | grep -q '"changed"'; }
check "  (it was not registered)" registered_none
# sending N: more blocks than N were sent
sending() { [ "$(puts)" -gt "$1" ]; }
changes_meanwhile() {
	local before
	before=$(puts)
	cp --sparse=always "$one" "$tmp/mixed/x.raw"
	cloud '{"throttle": {"PutSnapshotBlock": 8}, "throttle_burst": 0.05}'
	"$mkappliance" upload "$tmp/mixed/x.raw" --name meanwhile --connections 1 2>"$tmp/log" &
	local pid=$! status=0 last
	comes sending "$before"
	last=$(json_get "${one%.raw}.manifest.json" disk.partitions.2.offset)
	printf x | dd of="$tmp/mixed/x.raw" bs=1 seek=$((last + 5000)) conv=notrunc status=none
	wait $pid || status=$?
	cloud '{"throttle": {}}'
	cat "$tmp/log"
	[ $status = 3 ] && grep -q 'is not what was built' "$tmp/log"
}
check "an image that changes while it is uploaded" changes_meanwhile

# ---- the name ----
check "uploads the first" upload "$one" --name taken
check "the name is taken by another image" refuses 1 "the name 'taken' is taken by ami-" upload "$two" --name taken
check "a name that EC2 does not take" refuses 2 "the image's name 'no,comma'" upload "$two" --name 'no,comma'
check "one that is too short" refuses 2 "the image's name 'ab'" upload "$two" --name ab
check "a description that is too long" refuses 2 '--description' upload "$two" --name long --description "$(printf 'x%.0s' {1..256})"
check "UEFI data that are none" refuses 2 'base64' upload "$two" --uefi-data README.md

# ---- the parent ----
snapshot_of() { upload "$one" --name "$1" "${@:2}" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["images"][0]["snapshot"])'; }
check "a parent that is not there" refuses 1 'snap-0123456789abcdef0 cannot be the parent' upload "$two" --parent snap-0123456789abcdef0
encrypted=$(snapshot_of encrypted --encrypt 2>/dev/null)
check "a parent that is encrypted" refuses 1 'it is encrypted, and the new one is not to be' upload "$two" --parent "$encrypted"
plain=$(snapshot_of plain --parent none 2>/dev/null)
check "a parent that is not, for one that is to be" refuses 1 'it is not encrypted' upload "$two" --parent "$plain" --encrypt
unrelated() {
	local id
	id=$(aws_cli ebs start-snapshot --volume-size 1 --query SnapshotId --output text) &&
		aws_cli ebs complete-snapshot --snapshot-id "$id" --changed-blocks-count 0 >/dev/null &&
		refuses 1 'what it holds is not known' "$mkappliance" upload "$two" --parent "$id"
}
if command -v /usr/bin/aws >/dev/null; then
	check "a parent that nobody knows" unrelated
else
	check_skip "a parent that nobody knows" "awscli is not installed"
fi
no_list() {
	mkdir -p "$tmp/elsewhere" && cp --sparse=always "${two%.raw}".* "$tmp/elsewhere/" && rm -f "$tmp/elsewhere"/*.jsonl &&
		refuses 1 'does not lie beside the image' upload "$tmp/elsewhere/hello-2.raw" --parent "$plain" &&
		refuses 1 'is not its list of blocks' upload "$tmp/elsewhere/hello-2.raw" --parent "$plain" --parent-blocks "${two%.raw}.blocks" &&
		upload "$tmp/elsewhere/hello-2.raw" --name no-list --json >"$tmp/n.json" &&
		[ "$(field "$tmp/n.json" parent)" = None ] && grep -q 'does not lie beside' "$tmp/n.json" &&
		upload "$tmp/elsewhere/hello-2.raw" --name a-list --parent "$plain" --parent-blocks "${one%.raw}.blocks"
}
check "a parent whose list of blocks is not here: an error by name, everything with 'auto'" no_list
# Somebody wrote into the parent: one block that all samples see.
altered_parent() {
	local block
	for block in $(cloud_ask "$cloud_url/_fake/blocks/$plain" | python3 -c 'import json, sys; print(*json.load(sys.stdin))'); do
		cloud_ask "$cloud_url/_fake/corrupt" -d "{\"snapshot\": \"$plain\", \"block\": $block, \"byte\": 0}" >/dev/null || return
	done
	refuses 3 'is not what was built' upload "$two" --name altered --parent "$plain"
}
check "a parent that holds other bytes than its list says" altered_parent
cloud_kill
rm -rf "$cloud_state"
cloud_start '{"scale": 0.1}' || exit 1

# ---- the service ----
in_error() {
	local before
	before=$(puts)
	cloud '{"throttle": {"PutSnapshotBlock": 10}, "throttle_burst": 0.05}'
	upload "$one" --name in-error --connections 2 2>"$tmp/log" &
	local pid=$! status=0 id
	comes sending "$before"
	id=$(sed -n 's/^{"snapshot":"\(.*\)"}/\1/p' "$tmp/out/hello-1.upload.jsonl" | tail -1)
	cloud_ask "$cloud_url/_fake/snapshot" -d "{\"id\": \"$id\", \"status\": \"error\"}" >/dev/null
	wait $pid || status=$?
	cloud '{"throttle": {}}'
	cat "$tmp/log"
	[ $status = 1 ] && grep -q "$id" "$tmp/log" && upload "$one" --name in-error --json >"$tmp/e.json" 2>"$tmp/log" &&
		grep -q "$id of the last run is error: beginning again" "$tmp/log" && [ "$(field "$tmp/e.json" images.0.snapshot)" != "$id" ]
}
check "a snapshot that ends in error: the next run begins another" in_error
quota() {
	cloud '{"pending_snapshots": 0}'
	local status=0
	fails_with 1 'ConcurrentLimitExceeded' "$mkappliance" upload "$two" --name quota || status=1
	cloud '{"pending_snapshots": null}'
	return $status
}
check "the quota of pending snapshots is reached" quota
check "TLS: a certificate that nobody vouches for" refuses 1 'certificate' env AWS_ENDPOINT_URL="$cloud_tls_url" "$mkappliance" upload "$two"
check "TLS: with the authority it works" env AWS_ENDPOINT_URL="$cloud_tls_url" AWS_CA_BUNDLE="$cloud_ca" "$mkappliance" upload "$two" --name tls
check "nobody listens" fails_with 1 'connect' env AWS_ENDPOINT_URL=http://127.0.0.1:9 "$mkappliance" upload "$two"
endless() {
	cloud '{"faults": [{"action": "PutSnapshotBlock", "kind": "error", "status": 503, "code": "ServiceUnavailable", "count": 0}]}'
	local status=0
	fails_with 1 'ServiceUnavailable' "$mkappliance" upload "$one" --name endless --parent none --connections 1 || status=1
	cloud '{"faults": []}'
	return $status
}
check "5xx without end: it ends, and says so" endless
check "  and goes on" upload "$one" --name endless --parent none
faults() { cloud_ask "$cloud_url/_fake/counters" | python3 -c 'import json, sys; print(sum(v for k, v in json.load(sys.stdin).items() if k.startswith("fault:")))'; }
# despite NAME JSON: it gets there all the same. Of a connection that ends before its answer libcurl may say nothing and ask again by another
# one, so it is the cloud that says that there were faults.
despite() {
	local status=0 before
	before=$(faults)
	cloud "{\"faults\": $2}"
	upload "$two" --parent none --name "$1" --json >"$tmp/f.json" 2>"$tmp/log" || status=1
	cloud '{"faults": []}'
	tail -3 "$tmp/log"
	echo "faults: $before, then $(faults); retries: $(field "$tmp/f.json" retries)"
	[ $status = 0 ] && [ "$(faults)" -gt "$before" ] && "$mkappliance" verify "aws:$(field "$tmp/f.json" images.0.image)" \
		--manifest "${two%.raw}.manifest.json" --full --quiet
}
check "bodies that are cut" despite cut '[{"action": "PutSnapshotBlock", "kind": "reset", "at": 100000, "every": 3, "count": 10}]'
check "answers that never come back though the block was stored" despite late '[{"action": "PutSnapshotBlock", "kind": "late", "every": 4, "count": 5}]'
check "answers cut in half, connections closed" despite half '[{"action": "ListSnapshotBlocks", "kind": "cut"}, {"action": "GetSnapshotBlock", "kind": "cut", "count": 3}, {"action": "PutSnapshotBlock", "kind": "close", "count": 3}]'
check "5xx and throttling now and then" despite sometimes '[{"action": "PutSnapshotBlock", "kind": "error", "status": 500, "every": 5, "count": 6}, {"action": "PutSnapshotBlock", "kind": "error", "status": 400, "code": "RequestThrottledException", "reason": "ACCOUNT_THROTTLED", "every": 7, "count": 4}]'
check "  and it says what was tried again" [ "$(field "$tmp/f.json" retries)" != '{}' ]
clock_off() {
	local status=0
	cloud '{"clock_offset_s": 3600}'
	upload "$two" --name clock --parent none || status=1
	cloud '{"clock_offset_s": -3600}'
	upload "$two" --name clock-back --parent none || status=1
	cloud '{"clock_offset_s": 0}'
	return $status
}
check "a clock that is off by an hour, either way" clock_off

# ---- the journal ----
is_locked() { ! flock -n "$1" true; }
locked() {
	flock --no-fork "$tmp/out/hello-2.upload.jsonl" sleep 300 &
	local pid=$! status=0
	comes is_locked "$tmp/out/hello-2.upload.jsonl"
	fails_with 1 'another upload of this image is running' upload "$two" --name locked || status=1
	kill $pid
	wait $pid 2>/dev/null
	return $status
}
check "two at a time" locked
damaged() {
	cp "$tmp/out/hello-2.upload.jsonl" "$tmp/kept" && echo 'done: 1' >>"$tmp/out/hello-2.upload.jsonl" &&
		refuses 3 'is damaged; remove the file' upload "$two" --name locked --parent none
	local status=$?
	cp "$tmp/kept" "$tmp/out/hello-2.upload.jsonl"
	return $status
}
damaged_tail() {
	upload "$two" --name tail --parent none && printf '{"done": [1, ' >>"$tmp/out/hello-2.upload.jsonl" && upload "$two" --name tail-2 --parent none
}
check "a last line that is cut off is passed over" damaged_tail
check "a line that is none" damaged
# shellcheck disable=SC2016 # a script of its own
full_disk() {
	unshare --mount bash -c '
		mkdir "$1/small" && mount -t tmpfs -o size=160k tmpfs "$1/small" && ln -s "$2" "$1/small/x.raw" &&
			cp "${2%.raw}.manifest.json" "$1/small/x.manifest.json" && cp "${2%.raw}.blocks" "$1/small/x.blocks" || exit 99
		head -c 1M /dev/zero >"$1/small/fill" 2>/dev/null
		"$3" upload "$1/small/x.raw" --name full-disk --parent none' - "$tmp" "$two" "$mkappliance" 2>&1
}
full_disk_said() {
	local output status=0
	output=$(full_disk) || status=$?
	echo "$output"
	[ $status = 1 ] && grep -q 'cannot note what was uploaded: .*x.upload.jsonl: no space left on the disk' <<<"$output"
}
if [ "$(id -u)" = 0 ] && can_sandbox; then
	check "the journal's disk is full" full_disk_said
else
	check_skip "the journal's disk is full" "needs root"
fi
read_only() {
	mkdir -p "$tmp/ro" && ln -sf "$two" "$tmp/ro/x.raw" && cp "${two%.raw}.manifest.json" "$tmp/ro/x.manifest.json" &&
		cp "${two%.raw}.blocks" "$tmp/ro/x.blocks" && mkdir -p "$tmp/ro/x.upload.jsonl" &&
		refuses 1 'x.upload.jsonl' upload "$tmp/ro/x.raw" --name read-only
}
check "the journal cannot be made" read_only

# ---- the command line ----
check "share with all, without --yes" refuses 2 '--yes' upload "$two" --share all
check "share with nobody that there is" refuses 2 "--share: 'bob'" upload "$two" --name bob --share bob
for wrong in organization/o-x ou/o-abcdefghij/ou-1 organization/o-abcdefghij/x; do
	check "share with arn:...:$wrong" refuses 2 '--share' upload "$two" --name bob --share "arn:aws:organizations::111122223333:$wrong"
done
check "share with an organisation and a unit" upload "$two" --name unit --share arn:aws:organizations::111122223333:organization/o-abcdefghij \
	--share arn:aws:organizations::111122223333:ou/o-abcdefghij/ou-ab12-abcdefgh
check "more connections than anybody has memory for" refuses 2 '--connections=100000' upload "$two" --name many --connections 100000
check "share with all what is encrypted" refuses 2 'cannot be public' upload "$two" --name secret --encrypt --share all --yes
check "a parameter that SSM does not take" refuses 2 '{nam}' upload "$two" --name braces --parameter '/a/{nam}'
check "one of SSM's own" refuses 2 'begin with /aws or /ssm' upload "$two" --name own --parameter '/AWS/{name}'
check "one with too many levels" refuses 2 'at most 15 levels' upload "$two" --name deep --parameter "$(printf '/x%.0s' {1..16})"
for wrong in --iops=5 --throughput=5 --deprecate-after=3651; do
	check "$wrong" refuses 2 "${wrong/=/=}" upload "$two" --name numbers $wrong
done
check "a further region that can be none" refuses 2 "'a.example/' is not the name of an AWS region" upload "$two" --name regions --region us-east-1 --region a.example/
check "a region twice" refuses 2 'is there twice' upload "$two" --name regions --region us-east-1 --region eu-west-1 --region eu-west-1
check "gc: that is said of it too" fails_with 2 'is there twice' "$mkappliance" gc --region us-east-1 --region us-east-1
check "gc: and what can be none" fails_with 2 'is not the name of an AWS region' "$mkappliance" gc --region us-east-1 --region a.example/
check "a key for a region where it does not go" refuses 2 'the image does not go to' upload "$two" --name keys --kms-key eu-west-1=alias/a
check "a key of another region than the copy's" refuses 2 'is no key of region eu-west-1' \
	upload "$two" --name keys --region us-east-1 --region eu-west-1 --kms-key arn:aws:kms:us-east-1:111122223333:key/a
check "two keys for every region" refuses 2 'more than one without a region' upload "$two" --name keys --kms-key alias/a --kms-key alias/b
# What an image that is there lacks is not passed over.
lacking() {
	upload "$two" --name lacking --json >"$tmp/l.json" && printf 'QU1aTg==\n' >"$tmp/uefi" &&
		refuses 3 'is not encrypted' upload "$two" --name lacking --encrypt &&
		refuses 3 'was registered without --uefi-data' upload "$two" --name lacking --uefi-data "$tmp/uefi" &&
		upload "$two" --name has-both --encrypt --uefi-data "$tmp/uefi" && upload "$two" --name has-both --encrypt --uefi-data "$tmp/uefi"
}
check "the same image is there, but not encrypted, or without its UEFI data" lacking
overdue() {
	local status=0
	cloud '{"clock_offset_s": 259200}'
	upload "$two" --name lacking --deprecate-after 1 && upload "$two" --name lacking --deprecate-after 1 || status=1
	cloud '{"clock_offset_s": 0}'
	cloud_ask "$cloud_url/_fake/log/EnableImageDeprecation" >"$tmp/deprecations" && [ "$(grep -c DeprecateAt "$tmp/deprecations")" = 1 ] && return $status
}
check "an image that is older than it was to become: deprecated now, and once" overdue
silent() {
	cloud '{"faults": [{"action": "DescribeImages", "kind": "error", "status": 503, "code": "RequestLimitExceeded", "count": 0}]}'
	"$mkappliance" upload "$two" --name silent 2>"$tmp/silent" &
	local pid=$! status=1 i
	for ((i = 0; i < 600; i++)); do
		grep -qF 'ec2:DescribeImages: RequestLimitExceeded (throttled), again in' "$tmp/silent" && status=0 && break
		sleep 0.1
	done
	kill -TERM $pid
	wait $pid
	cloud '{"faults": []}'
	cat "$tmp/silent"
	return $status
}
check "who waits is told why" silent
check "an unknown provider" refuses 2 "no provider 'moon'" upload "$two" --to moon
check "an unknown kind of check" refuses 2 "--check: 'some'" upload "$two" --check some
check "no such image" refuses 1 'No such file' upload "$tmp/none.raw" --manifest "${two%.raw}.manifest.json"
check "verify aws: without a manifest" refuses 2 '--manifest' "$mkappliance" verify aws:ami-0123456789abcdef0
for id in '' vol-1 'snap-1/../x' "snap-$(printf '0%.0s' {1..80})"; do
	check "verify aws:${id:0:20}: no id" fails_with 2 'neither an image' "$mkappliance" verify "aws:$id" --manifest "${two%.raw}.manifest.json"
done
check "verify aws: an image that is not there" refuses 1 'InvalidAMIID' "$mkappliance" verify aws:ami-0123456789abcdef0 --manifest "${two%.raw}.manifest.json"
check "verify: --region of a file means nothing" refuses 2 'aws:ami-' "$mkappliance" verify "$two" --region eu-west-1
