#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# deploy to an Auto Scaling group, what an operator meets: an image named by its manifest, Ctrl-C on a terminal, alarms, the previous image
# after a way back, and every group, image and right that is refused before anything is changed.
# Takes: 20 s, waiting
. "$(dirname "$0")/functions.sh"
requires python3
requires curl
. "$(dirname "$0")/cloud.sh"
cloud_start '{"scale": 0.002}' || exit 1

. "$(dirname "$0")/fleet.sh"
# The client's own clock counts real seconds: generous. The cloud's are 2 ms each.
quick=(--checkpoint 20 --bake 20 --interval 0 --warmup 60)
deploy() { timeout 150 "$mkappliance" deploy "${aws[@]}" "${quick[@]}" "$@"; }
rollback() { timeout 150 "$mkappliance" rollback "${aws[@]}" --interval 0 --group "$@"; }
# runs GROUP IMAGE [PREVIOUS]: three serve it, and nothing else is there
runs() {
	status "$1" && python3 - "$tmp/status.json" "${@:2}" <<-'PY'
		import json, sys
		s = json.load(open(sys.argv[1]))
		there = [i for i in s["instances"] if i["lifecycle"] == "InService"]
		assert s["image"] == sys.argv[2] and s["serving"] == 3, s
		assert {i["image"] for i in there} == {sys.argv[2]} and len(there) == 3, there
		assert len(sys.argv) < 4 or s["previous"] == sys.argv[3], s["previous"]
	PY
}
# The same by Debian's aws.
aws_sees() {
	local ids
	# shellcheck disable=SC2016 # JMESPath
	ids=$(aws_cli autoscaling describe-auto-scaling-groups --auto-scaling-group-names "$1" \
		--query 'AutoScalingGroups[0].Instances[?LifecycleState==`InService`].InstanceId' --output text) &&
		[ "$(aws_cli ec2 describe-instances --filters "Name=image-id,Values=$2" --query 'length(Reservations[?Instances[0].State.Name==`running`])')" = 3 ] &&
		[ "$(wc -w <<<"$ids")" = 3 ]
}

fleet web || exit 1
old=$(json_get "$tmp/web.json" image) new=$(image web-2) third=$(image web-3)

# ---- the image of a manifest ----
sed "s|=../../|=$PWD/|" templates/hello/appliance.conf >"$tmp/appliance.conf"
"$mkappliance" build "$tmp/appliance.conf" -o "$tmp/out" --version 1 --quiet || exit 1
raw=$tmp/out/hello-1.raw
check "an image that nobody uploaded: the command that does" refused 1 "mkappliance upload $raw --to aws --region us-east-1" deploy "$raw" --group web
upload() { "$mkappliance" upload "$raw" --to aws --endpoint-url "$cloud_url" --check none --json >"$tmp/upload.json"; }
check "uploaded" upload
ami=$(json_get "$tmp/upload.json" images.0.image)
check "deployed by its manifest" deploy "$tmp/out/hello-1.manifest.json" --group web
check "its AMI runs" runs web "$ami" "$old"
! command -v aws >/dev/null || check "says Debian's aws too" aws_sees web "$ami"
already() {
	local before
	before=$(changes)
	deploy "$raw" --group web 2>"$tmp/err" && grep -q "runs $ami already" "$tmp/err" && [ "$(changes)" = "$before" ]
}
check "by its file: it runs already" already
sed -i 's/^Environment=.*/Environment=OTHER=1/' "$tmp/appliance.conf"
"$mkappliance" build "$tmp/appliance.conf" -o "$tmp/out" --version 1 --quiet || exit 1
check "the same name and version with other bytes is named" refused 1 "$ami of that version holds other bytes" deploy "$raw" --group web
check "another region has it not" refused 1 "is no image in eu-west-1" deploy "$raw" --group web --region eu-west-1
check "a group without a name" refused 2 "has an empty value" deploy "$raw" --group ""
check "status of a group without a name" refused 2 "has an empty value" "$mkappliance" status --group "" "${aws[@]}"
check "neither an AMI nor an image" refused 2 "neither the id of an AMI nor an image" deploy web.raw --group web
check "rollback" rollback web
check "the image before runs" runs web "$old" "$ami"

# ---- Ctrl-C ----
talk() { python3 tests/integration/pty_talk.py "$@" --checkpoint 100000 --bake 20 --interval 0; }
asks_yes() {
	talk 'version 4' '\x03' '[y/N' 'y\n' -- "$mkappliance" deploy "$new" --group web "${aws[@]}" --warmup 60 >"$tmp/out.txt"
	local status=$?
	cat "$tmp/out.txt"
	[ $status -eq 4 ] && grep -q "rolled back: asked for by Ctrl-C" "$tmp/out.txt"
}
check "Ctrl-C, yes: rolled back, exit code 4" asks_yes
check "the group and its previous image are as before" runs web "$old" "$ami"
leaves() {
	local expected=$1
	shift
	talk "$@" -- "$mkappliance" deploy "$new" --group web "${aws[@]}" --warmup 60 >"$tmp/out.txt"
	[ $? -eq "$expected" ] || { cat "$tmp/out.txt"; return 1; }
}
no() { leaves 130 'InProgress' '\x03' '[y/N' '\n' && grep -q "mkappliance rollback --group web --to aws" "$tmp/out.txt"; }
check "Ctrl-C, no: the refresh goes on, exit code 130" no
check "again, twice: the same" leaves 130 'InProgress' '\x03' '[y/N' '\x03'
without_terminal() {
	: >"$tmp/plain"
	"$mkappliance" deploy "$new" --group web "${aws[@]}" --interval 0 --checkpoint 100000 </dev/null 2>>"$tmp/plain" &
	local pid=$!
	says InProgress "$tmp/plain"
	kill -INT $pid
	wait $pid
	local status=$?
	cat "$tmp/plain"
	[ $status -eq 130 ] && grep -q "interrupted; the refresh goes on" "$tmp/plain" && ! grep -q 'y/N' "$tmp/plain"
}
check "without a terminal nobody is asked" without_terminal
check "rollback of what is under way" rollback web
check "back" runs web "$old" "$ami"

# ---- alarms ----
cloud '{"alarms": {"errors": "OK", "latency": "OK"}}'
alarmed() {
	: >"$tmp/alarmed"
	deploy "$new" --group web --alarm errors --alarm latency --checkpoint 100000 2>>"$tmp/alarmed" &
	local pid=$!
	says InProgress "$tmp/alarmed"
	cloud '{"alarms": {"errors": "OK", "latency": "ALARM"}}'
	wait $pid
	local status=$?
	cloud '{"alarms": {"errors": "OK", "latency": "OK"}}'
	echo "exit code $status"
	cat "$tmp/alarmed"
	[ $status -eq 4 ] && grep -q "rolled back: .*latency" "$tmp/alarmed"
}
check "an alarm rings: rolled back, exit code 4" alarmed
check "the group is as it was" runs web "$old" "$ami"
check "no such alarm" fails_with 1 "The alarm nothing does not exist" deploy "$new" --group web --alarm nothing
warmed() { cloud_ask "$cloud_url/_fake/log/StartInstanceRefresh" | grep -q 'Preferences.InstanceWarmup=7&'; }
check "with alarms that are quiet, and a warm-up" deploy "$new" --group web --alarm errors --instance-warmup 7
check "which is asked for" warmed
check "the new image runs" runs web "$new" "$old"

# ---- time and capacity ----
late() {
	deploy "$third" --group web --checkpoint 100000 --deadline 1 2>"$tmp/err"
	local status=$?
	cat "$tmp/err"
	[[ $status == 1 || $status == 4 ]] && grep -q "rolling back to $new: not done within 1 s" "$tmp/err"
}
check "not done in time: back" late
cloud '{"capacity": {"t3.micro": 3}}'
settled() {
	local i
	for ((i = 0; i < 200; i++)); do
		! runs web "$new" || return 0
		sleep 0.1
	done
	return 1
}
check "the group is as it was again" settled
check "no capacity: named, rolled back" fails_with 4 "rolled back: launch failed: We currently do not have sufficient t3.micro capacity" \
	deploy "$third" --group web
cloud '{"capacity": {}}'
check "and again as it was" settled

# ---- refused before anything is changed ----
for process in Launch Terminate HealthCheck ReplaceUnhealthy AddToLoadBalancer InstanceRefresh; do
	fleet "no-$process" "\"suspended\": [\"$process\"]"
	check "suspended: $process" refused 1 "the process $process is suspended; resume it (aws autoscaling resume-processes" deploy "$third" --group "no-$process"
done
mixed() {
	aws_cli autoscaling create-auto-scaling-group --auto-scaling-group-name mixed --min-size 1 --max-size 2 --vpc-zone-identifier subnet-0a --mixed-instances-policy \
		"{\"LaunchTemplate\": {\"LaunchTemplateSpecification\": {\"LaunchTemplateName\": \"web\", \"Version\": \"1\"}, \"Overrides\": [{\"InstanceType\": \"t3.small\"}]}}" &&
		refused 1 "has a mixed-instances policy; deploy needs" deploy "$third" --group mixed
}
mixed_status() {
	local i
	for ((i = 0; i < 100; i++)); do
		status mixed && [ "$(json_get "$tmp/status.json" serving)" = 1 ] && break
		sleep 0.1
	done
	[ "$(json_get "$tmp/status.json" image)" = "$(json_get "$tmp/web.json" image)" ] && [ "$(json_get "$tmp/status.json" instances.0.drift)" = false ] &&
		"$mkappliance" status --group mixed "${aws[@]}" | grep -q "version 1 of lt-.*, a mixed-instances policy"
}
if command -v aws >/dev/null; then
	check "a mixed-instances policy" mixed
	check "its status: image and version of the policy's template, no drift" mixed_status
else
	check_skip "a mixed-instances policy" "aws is not installed (apt-get install awscli)"
fi
types() {
	fleet "$1" "\"type\": \"$2\", \"image\": \"$3\"" && refused 1 "$4" deploy "$5" --group "$1"
}
check "a type that cannot boot by UEFI" types legacy t2.micro "$(image bios '' '"boot_mode": "legacy-bios", "tpm": false')" \
	"boots by uefi, which instances of type t2.micro cannot" "$(image uefi '' '"tpm": false')"
check "a type without a TPM" types metal m5.metal "$(image plain-old '' '"tpm": false')" "wants a TPM, which instances of type m5.metal have not" "$third"
check "a type of another architecture" types arm t4g.micro "$(image arm-old '' '"architecture": "arm64"')" "is for x86_64, instances of type t4g.micro are arm64" "$third"
check "bounds too far apart" refused 2 "at most 100 apart" deploy "$third" --group web --min-healthy 0 --max-healthy 200
check "too long a checkpoint" refused 2 "172800 seconds at most" timeout 20 "$mkappliance" deploy "$third" --group web "${aws[@]}" --checkpoint 10000000
post new-fleet '{"group": "empty", "size": 0}' >/dev/null
check "a group of no size" refused 1 "desired capacity of 0" deploy "$third" --group empty
cloud '{"images": {"*": {"never": true}}}'
sick() {
	local i
	fleet sick '"grace": 100000' || return
	for ((i = 0; i < 200; i++)); do
		status sick && [ "$(json_get "$tmp/status.json" serving)" = 0 ] && break
		sleep 0.05
	done
	refused 1 "0 of 3 serve, and 3 must at any time (--min-healthy 100)" deploy "$third" --group sick
}
check "a group that is not well" sick
cloud '{"images": {}}'

# ---- a right that is missing, each ----
denied() {
	cloud "{\"credentials\": {\"AKIAFAKEFAKEFAKEFAKE\": {\"secret\": \"$AWS_SECRET_ACCESS_KEY\", \"account\": \"111122223333\", \"arn\": \"arn:aws:iam::111122223333:user/test\", \"deny\": [\"$1\"]}}}"
	"${@:2}"
	local status=$?
	cloud '{"credentials": null}'
	return $status
}
for action in autoscaling:DescribeAutoScalingGroups autoscaling:DescribeInstanceRefreshes ec2:DescribeLaunchTemplateVersions ec2:DescribeImages \
	ec2:DescribeInstanceTypes elasticloadbalancing:DescribeTargetHealth autoscaling:DescribeScalingActivities; do
	check "no right to $action: said, nothing changed" denied $action refused 1 "$action" deploy "$third" --group web
done
for action in ec2:CreateLaunchTemplateVersion autoscaling:CreateOrUpdateTags autoscaling:StartInstanceRefresh ec2:RunInstances; do
	said=$action
	[ $action != ec2:RunInstances ] || said="not authorized to use launch template"
	check "no right to $action: said" denied $action fails_with 1 "$said" deploy "$third" --group web
	check "the group runs what it ran" runs web "$new" "$old"
done
cloud "{\"images\": {\"$third\": {\"never\": true}}}"
cannot_return() {
	denied autoscaling:RollbackInstanceRefresh fails_with 1 "the way back cannot be begun, the refresh goes on" \
		timeout 100 "$mkappliance" deploy "$third" --group web "${aws[@]}" "${quick[@]}" --warmup 1
}
check "no right to roll back: said" cannot_return
check "rollback by somebody who has it" rollback web
cloud '{"images": {}}'
check "the group is as it was" runs web "$new" "$old"

# ---- answers that get lost ----
for action in CreateLaunchTemplateVersion CreateOrUpdateTags StartInstanceRefresh; do
	lost() {
		cloud "{\"faults\": [{\"action\": \"$action\", \"kind\": \"late\"}]}"
		deploy "$third" --group web && runs web "$third" "$new" && rollback web && runs web "$new" "$third"
	}
	check "the answer of $action gets lost" lost
done
