#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# deploy --create and --strategy blue-green against the fake cloud, with the rights of aws-policy and nothing more; what is there afterwards is
# asked for with Debian's aws.
# Takes: 20 s, waiting
. "$(dirname "$0")/functions.sh"
requires python3
requires curl
. "$(dirname "$0")/cloud.sh"
cloud_start '{"scale": 0.002}' || exit 1

. "$(dirname "$0")/fleet.sh"
# The client's own clock counts real seconds; the cloud's are 2 ms each.
quick=(--interval 0 --checkpoint 10 --bake 0 --warmup 60)
deploy() { timeout 100 "$mkappliance" deploy "${aws[@]}" "${quick[@]}" "$@"; }
rollback() { timeout 100 "$mkappliance" rollback "${aws[@]}" --interval 0 --group "$@"; }
have_aws=$(command -v aws || true)
[ -n "$have_aws" ] || check_skip "what is there, by Debian's aws" "aws is not installed (apt-get install awscli)"

one=$(image one) two=$(image two) three=$(image three)
post new-balancer '{"name": "front"}' >"$tmp/front.json" || exit 1
front=$(json_get "$tmp/front.json" target_group)
made=(--create --subnets "subnet-0a,subnet-0b" --target-group front --instance-type t3.micro --size 2)
# shellcheck disable=SC2120 # by check
create() { deploy "$one" --group shop "${made[@]}" --security-group sg-1 --instance-profile web --tag team=shop --allow-drill "$@"; }

# All of it with the rights that aws-policy prints.
"$mkappliance" aws-policy --create --no-upload --group 'shop*' --account 111122223333 >"$tmp/policy.json" || exit 1
restrict() {
	python3 - "$tmp/policy.json" "$AWS_SECRET_ACCESS_KEY" >"$tmp/credentials.json" <<-'PY'
		import json, sys
		print(json.dumps({"credentials": {"AKIAFAKEFAKEFAKEFAKE": {
		    "secret": sys.argv[2], "account": "111122223333", "arn": "arn:aws:iam::111122223333:user/test", "policy": json.load(open(sys.argv[1]))}}}))
	PY
	cloud "$(cat "$tmp/credentials.json")"
}
restrict
# serves GROUP IMAGE [IN]: two of that image, in the Auto Scaling group of that name, and no other group is there
serves() {
	status "$1" && python3 - "$tmp/status.json" "$2" <<-'PY' && cloud_ask "$cloud_url/_fake/objects/groups" | python3 -c '
import json, sys
names = [g["name"] for g in json.load(sys.stdin).values() if g["name"].startswith(sys.argv[1])]
assert names == [sys.argv[2]], names' "$1" "${3:-$1}"
		import json, sys
		s = json.load(open(sys.argv[1]))
		there = [i["image"] for i in s["instances"] if i["lifecycle"] == "InService"]
		assert s["image"] == sys.argv[2] and s["serving"] == 2 and there == [sys.argv[2]] * 2, s
	PY
}

# ---- create ----
for missing in --subnets=subnet-0a --target-group=front --instance-type=t3.micro; do
	rest=()
	for word in --subnets=subnet-0a --target-group=front --instance-type=t3.micro; do
		[ $word = $missing ] || rest+=("$word")
	done
	check "create without ${missing%%=*}" refused 2 "missing ${missing%%=*}" deploy "$one" --group shop --create "${rest[@]}"
done
check "a name that no launch template can have" refused 2 "' ' in the name 'my shop'" deploy "$one" --group "my shop" "${made[@]}"
check "sizes that cannot be" refused 2 "sizes 3 to 4 with 2 wanted" create --min-size 3
check "a tag without a value" refused 2 "'x' is not KEY=VALUE" create --tag x
check "a tag of ours" refused 2 "a key of your own" create --tag mkappliance:role=live
check "no such subnet" refused 1 "The subnet ID 'subnet-9' does not exist" deploy "$one" --group shop "${made[@]}" --subnets subnet-9
check "no such target group" refused 1 "DescribeTargetGroups back" deploy "$one" --group shop "${made[@]}" --target-group back
check "no such type" refused 1 "instance types do not exist" deploy "$one" --group shop "${made[@]}" --instance-type t9.huge
check "a type that cannot boot it" refused 1 "which instances of type t2.micro cannot" deploy "$one" --group shop "${made[@]}" --instance-type t2.micro
check "what makes a group, without --create" refused 2 "--subnets means nothing for provider 'aws' without --create" deploy "$one" --group shop --subnets subnet-0a
check "a group that is not there" refused 1 "no Auto Scaling group 'shop'" deploy "$one" --group shop
check "a group from nothing" create
check "two serve" serves shop "$one"
described() {
	aws_cli autoscaling describe-auto-scaling-groups --auto-scaling-group-names shop >"$tmp/asg.json" &&
		aws_cli ec2 describe-launch-template-versions --launch-template-name shop --versions 1 >"$tmp/lt.json" &&
		aws_cli elbv2 describe-target-health --target-group-arn "$front" >"$tmp/health.json" &&
		python3 - "$tmp" "$front" "$one" <<-'PY'
			import json, sys
			def read(name):
			    return json.load(open(sys.argv[1] + "/" + name))
			(g,), (v,) = read("asg.json")["AutoScalingGroups"], read("lt.json")["LaunchTemplateVersions"]
			tags = {t["Key"]: (t["Value"], t["PropagateAtLaunch"]) for t in g["Tags"]}
			assert (g["MinSize"], g["MaxSize"], g["DesiredCapacity"]) == (2, 4, 2), g
			assert g["HealthCheckType"] == "ELB" and g["HealthCheckGracePeriod"] == 60, g
			assert g["TargetGroupARNs"] == [sys.argv[2]] and g["VPCZoneIdentifier"] == "subnet-0a,subnet-0b", g
			assert g["LaunchTemplate"]["Version"] == "1", g
			assert tags["team"] == ("shop", True) and tags["mkappliance:drill"] == ("allowed", False), tags
			assert tags["mkappliance:role"] == ("live", False) and tags["mkappliance"] == ("1", False), tags
			d = v["LaunchTemplateData"]
			assert d["ImageId"] == sys.argv[3] and d["InstanceType"] == "t3.micro" and d["SecurityGroupIds"] == ["sg-1"], d
			assert d["IamInstanceProfile"] == {"Name": "web"} and d["MetadataOptions"]["HttpTokens"] == "required", d
			states = [t["TargetHealth"]["State"] for t in read("health.json")["TargetHealthDescriptions"]]
			assert states == ["healthy"] * 2, states
		PY
}
# What a test asks for with another program needs all rights.
freely() {
	cloud '{"credentials": null}'
	"$@"
	local status=$?
	restrict
	return $status
}
[ -z "$have_aws" ] || check "as asked for, says Debian's aws" freely described
# shellcheck disable=SC2119
again_quiet() { local before; before=$(changes); create && [ "$(changes)" = "$before" ]; }
check "the same again is done at once" again_quiet
check "another type" refused 1 "is there with another instance type" create --instance-type t3.small
check "another security group" refused 1 "is there with other security groups" create --security-group sg-2
check "other subnets" refused 1 "with other subnets" create --subnets subnet-0c
check "other sizes" refused 1 "with other sizes" create --max-size 9
check "another grace period" refused 1 "another health check or grace period" create --warmup 61
other_image() { refused 1 "was made for $one, not $two; without --create deploy moves" deploy "$two" --group shop "${made[@]}"; }
check "another image" other_image
check "a rolling deployment of what was made" deploy "$two" --group shop
check "runs" serves shop "$two"
bad=$(image bad)
cloud "{\"images\": {\"$bad\": {\"never\": true, \"description\": \"nothing answers\"}}}"
nothing_left() {
	local left
	left=$(cloud_ask "$cloud_url/_fake/objects" | python3 -c 'import json, sys; o = json.load(sys.stdin)
print(*[x["name"] for k in ("groups", "templates") for x in o[k].values() if x["name"] == "shop-bad"])')
	[ -z "$left" ] || { echo "left: $left"; return 1; }
}
check "an image that is never healthy: not made, and why" fails_with 1 "'shop-bad' was not made: " deploy "$bad" --group shop-bad "${made[@]}" --warmup 20
check "nothing of it is left" nothing_left
cloud '{"capacity": {"t3.small": 1}}'
check "no capacity: named" fails_with 1 "'shop-bad' was not made: launch failed: We currently do not have sufficient t3.small capacity" \
	deploy "$one" --group shop-bad "${made[@]}" --instance-type t3.small
check "nothing of that either" nothing_left
cloud '{"capacity": {}}'
denied() {
	python3 - "$tmp/policy.json" "$1" <<-'PY' >"$tmp/less.json" || return
		import json, sys
		policy = json.load(open(sys.argv[1]))
		policy["Statement"].append({"Effect": "Deny", "Action": [sys.argv[2]], "Resource": "*"})
		print(json.dumps(policy))
	PY
	cp "$tmp/policy.json" "$tmp/full.json" && cp "$tmp/less.json" "$tmp/policy.json"
	restrict
	"${@:2}"
	local status=$?
	cp "$tmp/full.json" "$tmp/policy.json"
	restrict
	return $status
}
for action in ec2:CreateLaunchTemplate autoscaling:CreateAutoScalingGroup elasticloadbalancing:DescribeTargetGroups ec2:DescribeSubnets; do
	check "no right to $action: said" denied $action fails_with 1 "$action" deploy "$one" --group shop-late "${made[@]}"
done
check "with them the same command goes on" deploy "$one" --group shop-late "${made[@]}"
check "a group that the policy is not for" fails_with 1 "not authorized to perform: autoscaling:CreateAutoScalingGroup" deploy "$one" --group other "${made[@]}"

# ---- blue-green ----
post new-fleet '{"group": "shopping", "size": 2}' >"$tmp/shopping.json" || exit 1
first=$(json_get "$tmp/shopping.json" image)
# The groups of the first part are not in the way of names.
swap() { deploy "$1" --group shopping --strategy blue-green "${@:2}"; }
instances_of() { cloud_ask "$cloud_url/_fake/objects/instances" | python3 -c 'import json, sys
print(*sorted(i["id"] for i in json.load(sys.stdin).values() if i["lifecycle"] == "InService" and i["group"].endswith("/" + sys.argv[1])))' "$1"; }
before=$(instances_of shopping)
fails_alone() { fails_with 4 "rolled back: " swap "$bad" --warmup 20 && [ "$(instances_of shopping)" = "$before" ]; }
check "an image that is never healthy: exit code 4, the old instances are the same ones" fails_alone
check "and alone" serves shopping "$first"
check "blue-green" swap "$one" --keep-old 0
check "the second group alone serves" serves shopping "$one" shopping-green
seen_green() {
	aws_cli autoscaling describe-auto-scaling-groups >"$tmp/asg.json" && python3 - "$tmp/asg.json" "$first" <<-'PY'
		import json, sys
		(g,) = [g for g in json.load(open(sys.argv[1]))["AutoScalingGroups"] if g["AutoScalingGroupName"].startswith("shopping")]
		tags = {t["Key"]: t["Value"] for t in g["Tags"]}
		assert g["AutoScalingGroupName"] == "shopping-green" and g["DesiredCapacity"] == 2 and g["MaxSize"] == 4, g
		assert tags["mkappliance:group"] == "shopping" and tags["mkappliance:previous"] == sys.argv[2], tags
	PY
}
[ -z "$have_aws" ] || check "says Debian's aws" freely seen_green
already() {
	local before
	before=$(changes)
	swap "$one" 2>"$tmp/err" && grep -q "runs $one already" "$tmp/err" && [ "$(changes)" = "$before" ]
}
check "the same again: done already" already
check "rollback, when the old group is gone: a refresh of the second" rollback shopping
check "runs what it ran" serves shopping "$first" shopping-green
check "a rolling deployment of it" deploy "$two" --group shopping
check "runs there" serves shopping "$two" shopping-green

kept() {
	: >"$tmp/kept"
	"$mkappliance" deploy "$three" --group shopping --strategy blue-green --keep-old 60 "${aws[@]}" "${quick[@]}" 2>>"$tmp/kept" &
	local pid=$!
	says "is kept for another" "$tmp/kept"
	kill -INT $pid
	wait $pid
	local status=$?
	cat "$tmp/kept"
	[ $status -eq 130 ] && grep -q "group shopping-green is kept for another" "$tmp/kept" && grep -q "nobody moves group 'shopping' on now" "$tmp/kept"
}
check "the old group is kept; Ctrl-C leaves it so" kept
served_by_blue() {
	status shopping && python3 - "$tmp/status.json" "$three" <<-'PY'
		import json, sys
		s = json.load(open(sys.argv[1]))
		assert s["image"] == sys.argv[2] and s["serving"] == 2, s
	PY
}
check "the new one serves meanwhile" served_by_blue
check "a rolling deployment then" refused 1 "a blue-green deployment is not over" deploy "$one" --group shopping
check "rollback: the old group is back" rollback shopping
check "alone" serves shopping "$two" shopping-green
check "in steps: kept for a second, then removed" swap "$three" --keep-old 1
check "the other name again" serves shopping "$three" shopping-blue
cloud "{\"images\": {\"$bad\": {\"never\": true}, \"$one\": {\"crash_after_s\": 500}}}"
check "one that fails while the old group is kept: exit code 4" fails_with 4 "rolled back: " swap "$one" --keep-old 60
check "the old group serves again" serves shopping "$three" shopping-blue
cloud '{"images": {}, "instance_launch_s": 1000000}'
next_up() {
	: >"$tmp/next"
	"$mkappliance" deploy "$two" --group shopping --strategy blue-green "${aws[@]}" "${quick[@]}" 2>>"$tmp/next" &
	local pid=$!
	says Pending "$tmp/next"
	kill -9 $pid
	wait $pid 2>/dev/null
	grep -q "making group shopping-green" "$tmp/next" && fails_with 1 "a deployment of $two is under way (group shopping-green)" swap "$one"
}
check "another image while the second group is made" next_up
check "rollback ends that" rollback shopping
cloud '{"instance_launch_s": null}'
check "the first is untouched" serves shopping "$three" shopping-blue
drilled() {
	aws_cli autoscaling create-or-update-tags --tags ResourceId=shopping-blue,ResourceType=auto-scaling-group,Key=mkappliance:drill,Value=allowed,PropagateAtLaunch=false &&
		"$mkappliance" drill --group shopping terminate "${aws[@]}" --interval 0 --report "$tmp/drill.json" &&
		aws_cli autoscaling describe-scaling-activities --auto-scaling-group-name shopping-blue | grep -qF "$(json_get "$tmp/drill.json" drills.0.instance)"
}
[ -z "$have_aws" ] || check "a drill is in the one that serves" freely drilled
hangs() {
	aws_cli autoscaling put-scaling-policy --auto-scaling-group-name shopping-blue --policy-name by-load --adjustment-type ChangeInCapacity --scaling-adjustment 1 >/dev/null &&
		refused 1 "has the scaling policy 'by-load', which a second group would not have" swap "$two"
}
[ -z "$have_aws" ] || check "a scaling policy would be lost" freely hangs
check "neither rolling nor blue-green" refused 2 "neither rolling nor blue-green" deploy "$two" --group shopping --strategy canary
check "--keep-old alone" refused 2 "--keep-old is for --strategy blue-green" deploy "$two" --group shopping --keep-old 3

# ---- aws-policy ----
check "aws-policy: a group that is none" fails_with 2 "is no name of a group" "$mkappliance" aws-policy --deploy --group 'a b'
check "aws-policy: groups of nothing" fails_with 2 "--group goes with --deploy, --create or --drill" "$mkappliance" aws-policy --group shop
check "aws-policy: nothing" fails_with 2 "--no-upload leaves nothing" "$mkappliance" aws-policy --no-upload
