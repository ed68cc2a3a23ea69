#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# deploy, status and rollback of an Auto Scaling group, against the fake cloud: a good image, bad ones, groups that are refused, failures
# of single calls, and a client that is killed at each of its steps.
# Takes: 30 s, waiting
. "$(dirname "$0")/functions.sh"
requires python3
requires curl
. "$(dirname "$0")/cloud.sh"
cloud_start '{"scale": 0.02}' || exit 1

. "$(dirname "$0")/fleet.sh"
# A checkpoint and baking of seconds of the cloud, which are 20 ms each here; what counts real seconds is generous.
deploy() { timeout 150 "$mkappliance" deploy "$@" "${aws[@]}" --checkpoint 20 --bake 20 --interval 0 --warmup 60; }
images_of() { python3 -c 'import json,sys; print(*sorted({i["image"] for i in json.load(open(sys.argv[1]))["instances"] if i["lifecycle"] != "Terminating"}))' "$tmp/status.json"; }

fleet web || exit 1
old=$(json_get "$tmp/web.json" image) new=$(image web-2) third=$(image web-3)

check "status of a group" status web
check "three serve the first image" [ "$(json_get "$tmp/status.json" serving) $(images_of)" = "3 $old" ]
deploys() {
	deploy "$new" --group web >"$tmp/out" 2>"$tmp/err" && status web && cat "$tmp/err" &&
		[ "$(images_of)" = "$new" ] && [ "$(json_get "$tmp/status.json" serving)" = 3 ] && [ "$(json_get "$tmp/status.json" previous)" = "$old" ] &&
		[ "$(json_get "$tmp/status.json" image)" = "$new" ]
}
check "a new image" deploys
again() { deploy "$new" --group web 2>"$tmp/again" && grep -q "runs $new already" "$tmp/again"; }
check "the same again: done already" again
one_first() { grep -c ': Pending\|checkpoint\|InProgress' "$tmp/err" >/dev/null && cloud_ask "$cloud_url/_fake/log/StartInstanceRefresh" >"$tmp/log.json" && grep -q 'CheckpointPercentages.member.1=33' "$tmp/log.json"; }
check "one instance first" one_first
few_calls() {
	local looks
	looks=$(cloud_counter action:DescribeInstanceRefreshes)
	[ "$(cloud_counter action:DescribeTargetHealth)" -le $((looks + 6)) ] && [ "$(cloud_counter action:DescribeAutoScalingGroups)" -le $((looks + 14)) ]
}
check "three calls a look" few_calls
check "rollback, by the group's tag" timeout 150 "$mkappliance" rollback --group web "${aws[@]}" --interval 0
back() { status web && [ "$(images_of)" = "$old" ]; }
check "the first image again" back

# ---- images that do not get there ----
cloud "{\"images\": {\"$third\": {\"never\": true, \"reason\": \"Target.Timeout\"}}}"
never() {
	timeout 150 "$mkappliance" deploy "$third" --group web "${aws[@]}" --interval 0 --checkpoint 20 --bake 20 --warmup 4 2>"$tmp/err"
	[ $? -eq 4 ] || { cat "$tmp/err"; return 1; }
	grep -qE "rolled back: i-.* (did not become healthy in time|was ended by the group|is gone)" "$tmp/err" && back
}
check "one that is never healthy: back, exit code 4" never
cloud "{\"images\": {\"$third\": {\"launch_fails\": true}}}"
check "one that cannot be launched: back" fails_with 4 "rolled back: " deploy "$third" --group web
check "and the group is as it was" back
cloud '{"images": {}}'

# ---- what is refused ----
check "no such group" fails_with 1 "no Auto Scaling group 'none'" deploy "$new" --group none
check "no image's id" fails_with 2 "neither the id of an AMI nor an image" deploy web.raw --group web
check "an image that is not there" fails_with 1 "InvalidAMIID" deploy ami-0123456789abcdef0 --group web
check "one that nobody proved" fails_with 3 "--unverified" deploy "$(image plain '{}')" --group web
check "another architecture" fails_with 1 "is for arm64" deploy "$(image arm '' '"architecture": "arm64"')" --group web
pending=$(image failed-one)
post image "{\"id\": \"$pending\", \"state\": \"failed\"}" >/dev/null
check "one that failed" fails_with 1 "not available" deploy "$pending" --group web
check "bounds that leave nothing" fails_with 2 "none can ever be replaced" deploy "$new" --group web --max-healthy 100
check "a local option" fails_with 2 "means nothing for provider 'aws'" deploy "$new" --group web --size 3
# shellcheck disable=SC2016 # AWS's words
fleet latest '"version": "$Latest"' && check 'a template of version $Latest' fails_with 1 'nothing could be rolled back' deploy "$new" --group latest
fleet deaf '"health_type": "EC2"' && check "no health check" fails_with 1 "no health check of a load balancer" deploy "$new" --group deaf
fleet fresh && check "no previous image" fails_with 1 "no previous image" "$mkappliance" rollback --group fresh "${aws[@]}"

# ---- somebody else's refresh, missing rights, throttling ----
foreign() {
	# Instances that stay Pending: the refresh stands until that is taken back.
	cloud '{"instance_launch_s": 1000000}'
	: >"$tmp/foreign"
	"$mkappliance" deploy "$new" --group fresh "${aws[@]}" --interval 0 2>>"$tmp/foreign" &
	local pid=$!
	says InProgress "$tmp/foreign"
	kill -9 $pid
	wait $pid 2>/dev/null
	fails_with 1 "not of this image" deploy "$third" --group fresh
	local status=$?
	cloud '{"instance_launch_s": null}'
	[ $status -eq 0 ] || return
	deploy "$new" --group fresh 2>"$tmp/err" && grep -q "going on with the refresh" "$tmp/err"
}
check "another's refresh is left alone; one's own is gone on with" foreign
denied() {
	cloud "{\"credentials\": {\"AKIAFAKEFAKEFAKEFAKE\": {\"secret\": \"$AWS_SECRET_ACCESS_KEY\", \"account\": \"111122223333\", \"arn\": \"arn:aws:iam::111122223333:user/test\", \"deny\": [\"$1\"]}}}"
	fails_with 1 "$2" deploy "$third" --group web
	local status=$?
	cloud '{"credentials": null}'
	return $status
}
for action in autoscaling:StartInstanceRefresh ec2:CreateLaunchTemplateVersion autoscaling:CreateOrUpdateTags elasticloadbalancing:DescribeTargetHealth; do
	check "no right to $action: said" denied "$action" "${action#*:}"
done
throttled() {
	cloud '{"throttle": {"DescribeTargetHealth": 4, "DescribeInstanceRefreshes": 4}}'
	deploy "$third" --group web 2>"$tmp/err" || deploy "$third" --group web 2>>"$tmp/err"
	local status=$?
	cloud '{"throttle": null}'
	cat "$tmp/err"
	return $status
}
check "throttled" throttled
