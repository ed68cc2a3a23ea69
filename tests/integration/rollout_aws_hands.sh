#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# deploy to an Auto Scaling group that other people have their hands on: instances that are held back, taken out of a target group or put in
# standby, refreshes that somebody begins or breaks off, two deployments at once, images that are gone, alarms that ring already.
# Takes: 20 s, waiting
. "$(dirname "$0")/functions.sh"
requires python3
requires curl
requires /usr/bin/aws awscli
. "$(dirname "$0")/cloud.sh"
cloud_start '{"scale": 0.002}' || exit 1

. "$(dirname "$0")/fleet.sh"
quick=(--checkpoint 20 --bake 20 --interval 0 --warmup 60)
deploy() { timeout 100 "$mkappliance" deploy "${aws[@]}" "${quick[@]}" "$@"; }
rollback() { timeout 100 "$mkappliance" rollback "${aws[@]}" --interval 0 --group "$@"; }
# runs GROUP IMAGE: three serve it, and nothing else is there
runs() {
	status "$1" && python3 - "$tmp/status.json" "$2" <<-'PY'
		import json, sys
		s = json.load(open(sys.argv[1]))
		there = [i["image"] for i in s["instances"] if i["lifecycle"] == "InService"]
		assert s["image"] == sys.argv[2] and s["serving"] == 3 and there == [sys.argv[2]] * 3, s
	PY
}

settled() {
	local i
	for ((i = 0; i < 200; i++)); do
		! runs "$@" 2>/dev/null || return 0
		sleep 0.1
	done
	runs "$@"
}
# misses TARGET-GROUP: waits until status says that $one is not in it, and that two serve
misses() {
	local i
	for ((i = 0; i < 100; i++)); do
		! python3 - "$tmp/status.json" "$one" "not in target group $1" <<-'PY' || return 0
			import json, sys
			s = json.load(open(sys.argv[1]))
			(one,) = [i for i in s["instances"] if i["id"] == sys.argv[2]]
			sys.exit((one["target"], one["reason"], one["serves"], s["serving"]) != ("missing", sys.argv[3], False, 2))
		PY
		sleep 0.1
		status web
	done
	cat "$tmp/status.json"
	return 1
}

fleet web || exit 1
old=$(json_get "$tmp/web.json" image) one=$(json_get "$tmp/web.json" instances.0) arn=$(json_get "$tmp/web.json" target_group)
new=$(image web-2) bad=$(image bad)

# ---- instances that a refresh would wait for, for an hour ----
held() {
	post instance "{\"id\": \"$one\", \"$1\": true}" >/dev/null && refused 1 "$2" deploy "$new" --group web
	local status=$?
	post instance "{\"id\": \"$one\", \"$1\": false}" >/dev/null
	return $status
}
check "one that is protected from scale-in" held protected "$one is protected from scale-in, and a refresh would wait for it: aws autoscaling set-instance-protection"
check "one in standby" held standby "$one is in standby, and a refresh would wait for it: aws autoscaling exit-standby"
protects() {
	fleet guard && aws_cli autoscaling update-auto-scaling-group --auto-scaling-group-name guard --new-instances-protected-from-scale-in &&
		refused 1 "protects new instances from scale-in" deploy "$new" --group guard
}
check "a group that protects new ones" protects
check "the group is as it was" settled web "$old"
special() {
	post group "{\"name\": \"web\", \"special\": {\"$1\": $2}}" >/dev/null && refused 1 "has $3, which a second group would not have" deploy "$new" --group web --strategy blue-green
	local status=$?
	post group '{"name": "web", "special": {}}' >/dev/null
	return $status
}
check "blue-green: a warm pool would be lost" special WarmPoolConfiguration '{"MinSize": 1, "PoolState": "Stopped"}' "a warm pool"
check "blue-green: a classic balancer would be lost" special LoadBalancerNames '["front"]' "a classic load balancer"
check "blue-green: a maintenance policy would be lost" special InstanceMaintenancePolicy '{"MinHealthyPercentage": 90}' "an instance maintenance policy"

# ---- targets ----
taken_out() {
	cloud '{"drain_s": 0}'
	aws_cli elbv2 deregister-targets --target-group-arn "$arn" --targets "Id=$one" && status web && misses web &&
		refused 1 "2 of 3 serve, and 3 must at any time (--min-healthy 100): wait until they do, or lower that ($one is InService, missing: not in target group web)" deploy "$new" --group web
}
check "one that is in no target group does not serve: said of which" taken_out
aws_cli elbv2 register-targets --target-group-arn "$arn" --targets "Id=$one"
check "back" settled web "$old"
two_groups() {
	post new-balancer '{"name": "second"}' >"$tmp/second.json" || return
	local second
	second=$(json_get "$tmp/second.json" target_group)
	aws_cli autoscaling attach-load-balancer-target-groups --auto-scaling-group-name web --target-group-arns "$second" && settled web "$old" &&
		aws_cli elbv2 deregister-targets --target-group-arn "$second" --targets "Id=$one" && misses second &&
		aws_cli autoscaling detach-load-balancer-target-groups --auto-scaling-group-name web --target-group-arns "$second"
}
check "of two target groups the worse counts" two_groups
check "with one again" settled web "$old"
cloud '{"drain_s": 30}'

# ---- images that are gone ----
gone() {
	aws_cli ec2 deregister-image --image-id "$old" &&
		refused 1 "its own image $old is not there any more: a deployment that fails could not be brought back; --unverified" deploy "$new" --group web &&
		deploy "$new" --group web --unverified && runs web "$new" &&
		refused 1 "$old: " rollback web
}
check "nothing to go back to: only with --unverified, and rollback says so" gone
# AWS looks such a name up at each launch, and does not bring a refresh of it back.
parameter() {
	fleet named || return
	aws_cli ec2 create-launch-template-version --launch-template-name named --source-version 1 --launch-template-data ImageId=resolve:ssm:/golden >/dev/null || return
	post group '{"name": "named", "special": {"LaunchTemplate": {"LaunchTemplateId": "'"$(json_get "$tmp/named.json" template)"'", "LaunchTemplateName": "named", "Version": "2"}}}' >/dev/null &&
		refused 1 "names its image as 'resolve:ssm:/golden', not by its id, so nothing could be rolled back" deploy "$new" --group named
}
check "a template that names its image by a parameter" parameter

# ---- the same again ----
again() {
	local before
	before=$(changes)
	deploy "$new" --group web >"$tmp/out" 2>"$tmp/err" || { cat "$tmp/err"; return 1; }
	cat "$tmp/out" "$tmp/err"
	grep -q "runs $new already" "$tmp/err" && [ "$(changes)" = "$before" ]
}
check "the image that it runs: done at once" again
# Somebody breaks a deployment off when one of three is new, and whoever followed it was killed.
third=$(image web-3)
broken_off() {
	: >"$tmp/broken"
	"$mkappliance" deploy "$third" --group web "${aws[@]}" --interval 0 --checkpoint 100000 2>>"$tmp/broken" &
	local pid=$! i
	says "checkpoint\|$third  version 4  InService    healthy" "$tmp/broken"
	kill -9 $pid
	wait $pid 2>/dev/null
	aws_cli autoscaling cancel-instance-refresh --auto-scaling-group-name web >/dev/null || return
	for ((i = 0; i < 100; i++)); do
		status web && [ "$(json_get "$tmp/status.json" refresh.status)" = Cancelled ] && break
		sleep 0.1
	done
	status web && "$mkappliance" status --group web "${aws[@]}" | grep -q "drift: 1 of 3" || return
	deploy "$new" --group web 2>"$tmp/err" && grep -q "some of its instances are not: they are replaced" "$tmp/err" && settled web "$new"
}
check "a deployment that was broken off: the group's own image again" broken_off

# ---- two at once ----
twice() {
	cloud "{\"images\": {\"$bad\": {\"never\": true}}}"
	timeout 100 "$mkappliance" deploy "$bad" --group web "${aws[@]}" "${quick[@]}" --warmup 1 2>"$tmp/a" &
	local a=$! b status_a=0 status_b=0
	timeout 100 "$mkappliance" deploy "$bad" --group web "${aws[@]}" "${quick[@]}" --warmup 1 2>"$tmp/b" &
	b=$!
	wait $a || status_a=$?
	wait $b || status_b=$?
	cloud '{"images": {}}'
	sed 's/^/a: /' "$tmp/a"
	sed 's/^/b: /' "$tmp/b"
	[ "$status_a $status_b" = "4 4" ] && settled web "$new"
}
check "two deployments of the same bad image: both say that it was rolled back" twice
# Somebody else's refresh in the place of the one that is followed.
replaced() {
	: >"$tmp/replaced"
	"$mkappliance" deploy "$third" --group web "${aws[@]}" --interval 2 --checkpoint 100000 2>>"$tmp/replaced" &
	local pid=$! i status=0
	says InProgress "$tmp/replaced"
	aws_cli autoscaling cancel-instance-refresh --auto-scaling-group-name web >/dev/null || return
	for ((i = 0; i < 50; i++)); do
		! aws_cli autoscaling start-instance-refresh --auto-scaling-group-name web >/dev/null 2>&1 || break
		sleep 0.05
	done
	wait $pid || status=$?
	cat "$tmp/replaced"
	# Seen in between, it is brought back instead, which the other one is in the way of: never "deployed".
	[ $status -ne 0 ]
}
check "another's refresh is never taken for one's own" replaced

# ---- tags ----
edited() {
	aws_cli autoscaling create-or-update-tags --tags 'ResourceId=guard,ResourceType=auto-scaling-group,Key=mkappliance:previous,Value=the one before,PropagateAtLaunch=false' &&
		aws_cli autoscaling update-auto-scaling-group --auto-scaling-group-name guard --no-new-instances-protected-from-scale-in &&
		refused 1 "its tag mkappliance:previous names 'the one before', which is no AMI's id; name one (--image)" rollback guard
}
check "the tag of the previous image was edited by hand: said" edited

# ---- alarms ----
ringing() {
	cloud '{"alarms": {"errors": "ALARM"}}'
	settled web "$new" || return
	fails_with 4 "rolled back: The alarm errors is in the ALARM state" deploy "$third" --group web --alarm errors
}
check "an alarm that rings already: rolled back at once, and named" ringing
check "and nothing else runs" settled web "$new"
