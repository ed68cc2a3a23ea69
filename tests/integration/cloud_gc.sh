#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# gc: what goes, what stays and why; and the policy of aws-policy: enough for gc and the upload's calls, and nothing more.
# Takes: 20 s, waiting
. "$(dirname "$0")/functions.sh"
. "$(dirname "$0")/cloud.sh"
requires python3
requires curl

calls=$(dirname "$mkappliance")/calls/cloud_calls
[ -x "$calls" ] || skip "$calls is not built (make tests)"
cloud_start '{"scale": 0.01}' || exit 1
export AWS_ENDPOINT_URL=$cloud_url

fake() { # PATH JSON
	cloud_ask -X POST "$cloud_url/_fake/$1" -d "$2"
}
new_image() { # NAME TAGS [REGION]: prints its id
	fake new-image "{\"name\": \"$1\", \"tags\": $2, \"region\": \"${3:-us-east-1}\"}" >"$tmp/new" && json_get "$tmp/new" image
}
hello() { # VERSION
	printf '{"mkappliance": "1", "mkappliance:name": "hello", "mkappliance:version": "%s", "mkappliance:state": "ready"}' "$1"
}
gc() {
	"$mkappliance" gc "$@" --json >"$tmp/gc.json"
}
verdict() { # ID: "VERDICT WHY"
	python3 -c '
import json, sys
for i in json.load(open(sys.argv[1]))["items"]:
    if i["id"] == sys.argv[2]:
        print(i["verdict"], i["why"])' "$tmp/gc.json" "$1"
}
is() { # ID VERDICT TEXT
	local got
	got=$(verdict "$1")
	[[ $got == "$2 "*"$3"* ]] && return
	echo "$1: '$got', expected '$2 ... $3 ...'"
	return 1
}
state() { # of an image in the fake
	aws_cli ec2 describe-images --image-ids "$1" 2>/dev/null | python3 -c 'import json, sys; print(json.load(sys.stdin)["Images"][0]["State"])' 2>/dev/null || echo gone
}

# Nothing there at all.
says_nothing() {
	"$mkappliance" gc | grep -qx 'nothing to remove'
}
check "nothing: says so" says_nothing

by_configuration=$(new_image hello-0 "$(hello 0)")
used=$(new_image hello-1 "$(hello 1)")
by_template=$(new_image hello-2 "$(hello 2)")
protected=$(new_image hello-3 "$(hello 3)")
old=$(new_image hello-4 "$(hello 4)")
old_snapshot=$(json_get "$tmp/new" snapshot)
shared=$(new_image hello-5 "$(hello 5)")
newer=$(new_image hello-6 "$(hello 6)")
newest=$(new_image hello-7 "$(hello 7)")
other=$(new_image other-1 '{"mkappliance": "1", "mkappliance:name": "other"}')
aws_cli ec2 create-tags --resources "$(json_get "$tmp/new" snapshot)" --tags Key=mkappliance,Value=1 || exit 1
foreign=$(new_image foreign-1 '{"Name": "database"}')
nameless=$(new_image nameless-1 '{"mkappliance": "1"}')
elsewhere=$(new_image hello-1 "$(hello 1)" eu-west-1)
elsewhere_2=$(new_image hello-2 "$(hello 2)" eu-west-1)
fake new-fleet "{\"group\": \"web\", \"size\": 1, \"image\": \"$used\"}" >/dev/null || exit 1
aws_cli ec2 create-launch-template --launch-template-name batch \
	--launch-template-data "{\"ImageId\": \"$by_template\", \"InstanceType\": \"t3.micro\"}" >/dev/null || exit 1
aws_cli ec2 create-launch-template-version --launch-template-name batch \
	--launch-template-data "{\"ImageId\": \"$newest\", \"InstanceType\": \"t3.micro\"}" >/dev/null || exit 1
aws_cli autoscaling create-launch-configuration --launch-configuration-name past --image-id "$by_configuration" \
	--instance-type t3.micro || exit 1
fake_protect() {
	"$calls" protect "$protected" >/dev/null
}
check "an image is protected" fake_protect
# An upload that went no further, and one whose image somebody deregistered by hand.
unfinished=$("$calls" snapshot 1 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
[ -n "$unfinished" ] || exit 1

check "gc --keep 2" gc --keep 2
check "an instance refers to it" is "$used" keep 'instance i-'
check "an old version of a template refers to it" is "$by_template" keep 'launch template batch refers'
check "a launch configuration refers to it" is "$by_configuration" keep 'launch configuration past'
check "protected" is "$protected" keep 'protected from deregistration'
check "beyond the newest two" is "$old" remove 'nothing refers to it'
check "beyond the newest two: another" is "$shared" remove '2 newer ones'
check "the newest stay" is "$newer" keep 'one of the newest 2'
check "another appliance is counted by itself" is "$other" keep 'one of the newest 2'
check "without a name: stays" is "$nameless" keep 'no tag mkappliance:name'
check "what is not ours is not even looked at" test -z "$(verdict "$foreign")"
check "an upload that is young stays" is "$unfinished" keep 'younger than 24 h'
nothing_gone() {
	[ "$(cloud_counter action:DeregisterImage)" = 0 ] && [ "$(cloud_counter action:DeleteSnapshot)" = 0 ] && [ "$(json_get "$tmp/gc.json" dry_run)" = true ]
}
check "a dry run is the default" nothing_gone
says_how() {
	"$mkappliance" gc --keep 2 | tail -n 1 | grep -qx 'nothing was removed; --yes removes 2'
}
check "and says how to go on" says_how
check "--yes and --dry-run" fails_with 2 'not both' "$mkappliance" gc --yes --dry-run
only_other() {
	gc --keep 0 --name other && is "$other" remove '0 newer' && [ -z "$(verdict "$old")" ]
}
check "--name: only that appliance" only_other
shared_with_others() {
	aws_cli ec2 modify-image-attribute --image-id "$old" --launch-permission 'Add=[{UserId=444455556666}]' && gc --keep 2 &&
		is "$old" keep "perhaps '444455556666', who may launch it (--shared), refers to it" && gc --keep 2 --shared && is "$old" remove 'newer' &&
		aws_cli ec2 modify-image-attribute --image-id "$old" --launch-permission 'Remove=[{UserId=444455556666}]' && gc --keep 2 && is "$old" remove 'newer'
}
check "what other accounts may launch stays, until --shared" shared_with_others
two_regions() {
	gc --keep 1 --region us-east-1 --region eu-west-1 && is "$elsewhere" remove '1 newer' && is "$elsewhere_2" keep 'newest 1' && is "$old" remove newer
}
check "two regions" two_regions

# Two images of one snapshot: it stays with the one that stays.
twin() {
	"$calls" register hello-twin "$old_snapshot" >"$tmp/twin" && gc --keep 2 && is "$old" remove newer &&
		python3 -c '
import json, sys
item, = [i for i in json.load(open(sys.argv[1]))["items"] if i["id"] == sys.argv[2]]
sys.exit(item["snapshots"] != [])' "$tmp/gc.json" "$old"
}
check "a snapshot that another image has does not go" twin

carried_out() {
	gc --keep 2 --yes && is "$old" removed '' && is "$used" keep instance &&
		[ "$(state "$shared")" = gone ] && [ "$(state "$used")" = available ] && [ "$(state "$foreign")" = available ] &&
		[ "$(state "$by_template")" = available ] && [ "$(json_get "$tmp/gc.json" removed)" -ge 2 ]
}
check "--yes removes them" carried_out
snapshots_follow() {
	[ "$(aws_cli ec2 describe-snapshots --owner-ids self --filters "Name=snapshot-id,Values=$old_snapshot" | grep -c '"SnapshotId"')" = 1 ] &&
		[ "$(cloud_counter action:DeleteSnapshot)" -ge 1 ]
}
check "its snapshots follow, but for the shared one" snapshots_follow
again() {
	gc --keep 2 --yes && [ "$(json_get "$tmp/gc.json" removed)" = 0 ]
}
check "again: nothing to do" again
orphan() {
	gc --older 0 --keep 9 --yes && is "$unfinished" removed 'never became an image' &&
		[ "$(aws_cli ec2 describe-snapshots --owner-ids self | grep -c "$unfinished")" = 0 ]
}
check "an upload without an image goes when it is old" orphan
refused() {
	cloud '{"faults": [{"action": "DeregisterImage", "kind": "error", "status": 403, "code": "UnauthorizedOperation", "message": "no", "count": 0}]}' &&
		fails_with 1 'ec2:DeregisterImage' "$mkappliance" gc --keep 0 --yes && gc --keep 0 --yes
	[ "$(json_get "$tmp/gc.json" failed)" = 1 ] && cloud '{"faults": []}'
}
check "a missing permission ends it, and says action, image and request" refused

# ---- aws-policy ----
gc_policy() {
	"$mkappliance" aws-policy --gc-only --region us-east-1 >"$tmp/policy" && with_policy "$tmp/policy" &&
		limited "$mkappliance" gc --keep 1 --name other && limited "$mkappliance" gc --keep 0 --name other --yes && [ "$(state "$other")" = gone ]
}
check "aws-policy --gc-only is enough for gc" gc_policy
no_more() {
	fails_with 1 'ebs:StartSnapshot: AccessDeniedException' limited "$calls" snapshot 1 1 &&
		! limited aws_cli ec2 deregister-image --image-id "$foreign" 2>"$tmp/err" && grep -q UnauthorizedOperation "$tmp/err"
}
check "and for nothing else: no upload, no image of others" no_more
upload_policy() {
	"$mkappliance" aws-policy --region us-east-1 --region eu-west-1 --share --deprecate --protect --parameter '/tests/*' >"$tmp/policy" &&
		with_policy "$tmp/policy" && limited "$calls" snapshot 1 2 >"$tmp/s" && limited "$calls" register limited "$(json_get "$tmp/s" id)" >"$tmp/i" &&
		limited "$calls" read "$(json_get "$tmp/s" id)" >/dev/null &&
		limited env DEPRECATE="$(date -u -d '+1 year' +%Y-%m-%dT00:00:00Z)" "$calls" publish "$(json_get "$tmp/i" id)" limited - eu-west-1 >"$tmp/p"
}
check "aws-policy is enough to upload, copy, share, deprecate, protect, publish" upload_policy
other_region() {
	fails_with 1 'AccessDeniedException' limited "$calls" --region ap-south-1 snapshot 1 1
}
check "not in another region" other_region
denied_parameter() {
	"$mkappliance" aws-policy --region us-east-1 --share --deprecate --protect --parameter '/elsewhere/*' >"$tmp/policy" && with_policy "$tmp/policy" &&
		limited fails_with 1 'ssm:GetParameter /tests/limited: AccessDeniedException' env DEPRECATE="$(date -u -d '+1 year' +%Y-%m-%dT00:00:00Z)" \
			"$calls" publish "$(json_get "$tmp/i" id)" limited -
}
check "not another parameter" denied_parameter
partitions() {
	"$mkappliance" aws-policy --region us-gov-west-1 --region cn-north-1 --parameter '/x' >"$tmp/policy" && grep -qF '"arn:aws-us-gov:ec2:us-gov-west-1::image/*"' "$tmp/policy" &&
		grep -qF '"arn:aws-cn:ssm:cn-north-1:*:parameter/x"' "$tmp/policy" && ! grep -F arn:aws: "$tmp/policy"
}
check "aws-policy: regions of other partitions" partitions
check "aws-policy: a key that is none" fails_with 2 'is no ARN' "$mkappliance" aws-policy --kms-key=alias/x
check "aws-policy: a parameter that is none" fails_with 2 'is no name of a parameter' "$mkappliance" aws-policy --parameter=x
check "aws-policy: an account that is none" fails_with 2 'is not 12 digits' "$mkappliance" aws-policy --account=1
check "aws-policy: a region that is none" fails_with 2 'is no region' "$mkappliance" aws-policy --region='*'
check "aws-policy: --gc-only with more" fails_with 2 'with --region alone' "$mkappliance" aws-policy --gc-only --share
