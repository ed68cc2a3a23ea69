#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# drill and status --watch of an Auto Scaling group, against the fake cloud: what must come of each planned failure, groups that are left
# alone, Ctrl-C, the history in tags, a group of 500 within the quotas. Debian's aws looks at what became of it; moto is asked for a status.
. "$(dirname "$0")/functions.sh"
requires python3
requires curl
requires /usr/bin/aws awscli
. "$(dirname "$0")/cloud.sh"
cloud_start '{"scale": 0.02}' || exit 1

post() { cloud_ask -X POST "$cloud_url/_fake/$1" -d "$2"; }
# fleet NAME [MEMBERS]: a group of six that drills are allowed in; its answer is in NAME.json
fleet() { post new-fleet "{\"group\": \"$1\", \"size\": 6, \"tags\": {\"mkappliance:drill\": \"allowed\"}${2:+, $2}}" >"$tmp/$1.json"; }
image() { post new-image "{\"name\": \"$1\"}" >"$tmp/image.json" && json_get "$tmp/image.json" image; }
aws=(--endpoint-url "$cloud_url" --to aws)
drill() { timeout 100 "$mkappliance" drill "${aws[@]}" --interval 0 "$@"; }
status() { "$mkappliance" status --group "$1" "${aws[@]}" --json >"$tmp/status.json"; }
# report PYTHON: what it says of r (the report) and by (drills by kind) is true
report() { python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); by = {d["drill"]: d for d in r["drills"]}; sys.exit(0 if eval("(" + sys.argv[2] + ")") else "%s" % r)' "$tmp/report.json" "$1"; }

fleet web || exit 1
own=$(json_get "$tmp/web.json" image)
bad=$(image bad) tampered=$(image tampered) crash=$(image crash) fine=$(image fine)
behave="\"$bad\": {\"never\": true, \"reason\": \"Target.Timeout\"}, \"$tampered\": {\"never\": true}, \"$crash\": {\"healthy_after_s\": 5, \"crash_after_s\": 20}"
cloud "{\"images\": {$behave}}"
python3 -m http.server --bind 127.0.0.1 --directory "$tmp/certificate" 0 >"$tmp/http.log" 2>&1 &
http_pid=$!
stop_http() { kill "$http_pid" 2>/dev/null; }
at_exit stop_http
http_url() {
	local i
	for ((i = 0; i < 100; i++)); do
		sed -n 's/.*(\(http:[^)]*\)).*/\1/p' "$tmp/http.log" | grep . && return
		sleep 0.1
	done
	return 1
}

# ---- all of them ----
drills() {
	drill --group web terminate unhealthy lifetime bad-image tampered-image crash-loop --image "$bad" --image "tampered-image=$tampered" \
		--image "crash-loop=$crash" --report "$tmp/report.json" --junit "$tmp/report.xml" --url "$(http_url)" >"$tmp/out" 2>"$tmp/err" || {
		cat "$tmp/err" "$tmp/out"
		return 1
	}
}
check "each kind of drill" drills
check "  noticed, recovered, five served at least" report 'r["ok"] and r["group"] == "web" and len(by) == 6 and all(
	0 <= d["time_to_detect"] <= d["time_to_recover"] < d["deadline"] and d["desired"] == 6 and d["lowest_serving"] >= 5 for d in by.values())'
check "  no request was lost" report 'all(d["requests"] > 0 and d["requests_lost"] == 0 for d in by.values())'
check "  an image that is bad never served" report 'by["bad-image"]["image"] == "'"$bad"'" and by["bad-image"]["lowest_serving"] == 6 and
	"rolled back: i-" in by["bad-image"]["detail"] and by["tampered-image"]["image"] == "'"$tampered"'" and by["crash-loop"]["image"] == "'"$crash"'"'
junit() {
	python3 - "$tmp/report.xml" <<-'PY'
		import sys, xml.etree.ElementTree as tree
		cases = tree.parse(sys.argv[1]).getroot().findall(".//testcase")
		assert [c.get("name") for c in cases] == ["terminate", "unhealthy", "lifetime", "bad-image", "tampered-image", "crash-loop"], cases
		assert not any(list(c) for c in cases)
	PY
}
check "  and as JUnit" junit
victim() { json_get "$tmp/report.json" "drills.$1.instance"; }
aws_sees() {
	aws_cli autoscaling describe-auto-scaling-groups --auto-scaling-group-names web >"$tmp/groups.json" &&
		aws_cli autoscaling describe-scaling-activities --auto-scaling-group-name web >"$tmp/activities.json" &&
		aws_cli ec2 describe-instances --instance-ids "$(victim 0)" "$(victim 1)" "$(victim 2)" >"$tmp/instances.json" &&
		python3 - "$tmp" "$own" "$(victim 0)" "$(victim 1)" "$(victim 2)" <<-'PY'
			import json, re, sys
			tmp, own, struck, condemned, expired = sys.argv[1:]
			group = json.load(open(tmp + "/groups.json"))["AutoScalingGroups"][0]
			serving = [i for i in group["Instances"] if i["LifecycleState"] == "InService" and i["HealthStatus"] == "Healthy"]
			assert len(serving) == 6 and group["LaunchTemplate"]["Version"] == "1", group
			tags = {t["Key"]: t["Value"] for t in group["Tags"]}
			for kind in ("terminate", "unhealthy", "lifetime", "bad-image", "tampered-image", "crash-loop"):
			    value = tags["mkappliance:drill:" + kind]
			    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ ok \d+\.\d", value) and len(value) <= 256, value
			cause = {a["Description"].split(": ")[-1]: a["Cause"] for a in json.load(open(tmp + "/activities.json"))["Activities"]
			         if a["Description"].startswith("Terminating")}
			assert "EC2 health check" in cause[struck] and "user health-check" in cause[condemned] and "user request" in cause[expired], cause
			states = [i["State"]["Name"] for r in json.load(open(tmp + "/instances.json"))["Reservations"] for i in r["Instances"]]
			assert len(states) == 3 and set(states) <= {"terminated", "shutting-down", "running"}, states
		PY
}
check "  aws sees six healthy ones, why the others went, and the history in tags" aws_sees
zones() {
	drill --group web terminate --per-zone --report "$tmp/report.json" 2>"$tmp/err" >"$tmp/out" && grep -q "lost not measured" "$tmp/out" &&
		report 'len(set(by["terminate"]["instances"])) == 3 and by["terminate"]["lowest_serving"] == 3 and by["terminate"]["requests"] is None'
}
check "one of each zone, without a client" zones
replacements() { drill --group web crash-loop --report "$tmp/report.json" 2>"$tmp/err" && [ "$(grep -c 'its power is taken' "$tmp/err")" = 3 ] && report 'r["ok"]'; }
check "crash-loop without an image: two replacements too" replacements
defaults() { drill --group web --report "$tmp/report.xml" 2>"$tmp/err" && [ "$(grep -o 'testcase [^/]*name="[a-z-]*"' "$tmp/report.xml" | sed 's/.*name=//' | tr -d '"\n')" = terminateunhealthycrash-looplifetime ]; }
check "without a kind: all that need no image" defaults

# ---- drills that must fail ----
mild() {
	fails_with 1 "1 of 1 drills did not end as they must" drill --group web bad-image --image "$fine" --report "$tmp/report.json" &&
		report 'not r["ok"] and "image was healthy" in by["bad-image"]["detail"]' && status web && [ "$(json_get "$tmp/status.json" image)" = "$own" ] &&
		[ "$(json_get "$tmp/status.json" serving)" = 6 ]
}
check "an image that is not bad fails the drill, and the group gets its own back" mild
slow() {
	fleet slow && cloud '{"instance_launch_s": 100000}' || return
	fails_with 1 "did not end as they must" drill --group slow terminate --deadline 3 --report "$tmp/report.json" --url http://127.0.0.1:1/ || return
	fails_with 1 "is degraded already: 5 of 6 serve" drill --group slow terminate || return
	cloud '{"instance_launch_s": null}'
	report 'by["terminate"]["detail"] == "3 s are over: not recovered" and "time_to_recover" not in by["terminate"] and
		by["terminate"]["requests_lost"] == by["terminate"]["requests"] > 0' && status slow &&
		json_get "$tmp/status.json" drills | grep -q '"ok": false, "seconds": null'
}
check "one that does not recover in time, and another one is refused; nobody answers its client" slow

# ---- groups that are left alone ----
check "no such group" fails_with 1 "no Auto Scaling group 'none'" drill --group none terminate
fleet closed '"tags": {}' && check "no tag" fails_with 1 "no tag mkappliance:drill=allowed" drill --group closed terminate
fleet other '"tags": {"mkappliance:drill": "yes"}' && check "another value of the tag" fails_with 1 "no tag mkappliance:drill=allowed" drill --group other terminate
fleet busy && aws_cli autoscaling start-instance-refresh --auto-scaling-group-name busy >/dev/null &&
	check "a refresh under way" fails_with 1 "instance refresh" drill --group busy terminate
fleet halted && aws_cli autoscaling suspend-processes --auto-scaling-group-name halted --scaling-processes ReplaceUnhealthy &&
	check "a suspended process" fails_with 1 "ReplaceUnhealthy is suspended" drill --group halted unhealthy
fleet empty '"size": 0' && check "no machines" fails_with 1 "has no machines" drill --group empty terminate
fleet three '"size": 3' && check "one of each zone would be all" fails_with 1 "one in each zone are all 3" drill --group three terminate --per-zone
mixed() {
	fleet mixed && aws_cli autoscaling update-auto-scaling-group --auto-scaling-group-name mixed --mixed-instances-policy \
		"LaunchTemplate={LaunchTemplateSpecification={LaunchTemplateId=$(json_get "$tmp/mixed.json" template),Version=1},Overrides=[{InstanceType=t3.small}]}" &&
		fails_with 1 "mixed-instances policy" drill --group mixed terminate
}
check "a mixed-instances policy" mixed
check "bad-image without an AMI" fails_with 2 "--image=bad-image=AMI" drill --group three bad-image
check "an image that is no AMI" fails_with 2 "not the id of an AMI" drill --group three bad-image --image web.raw
check "the image that the group runs" fails_with 1 "is the image that group 'three' runs" drill --group three bad-image --image "$(json_get "$tmp/three.json" image)"
check "an image that is not there" fails_with 1 "InvalidAMIID" drill --group three bad-image --image ami-0123456789abcdef0
check "no URL" fails_with 2 "is no URL of HTTP" drill --group three terminate --url 127.0.0.1
check "no such kind" fails_with 2 "not a kind of drill" drill --group three explode
check "zones of a local group" fails_with 2 "has no zones" "$mkappliance" drill --group three --per-zone terminate
denied() {
	cloud "{\"credentials\": {\"AKIAFAKEFAKEFAKEFAKE\": {\"secret\": \"$AWS_SECRET_ACCESS_KEY\", \"account\": \"111122223333\", \"arn\": \"arn:aws:iam::111122223333:user/test\", \"deny\": [\"$1\"]}}}"
	fails_with 1 "${1#*:}" drill --group three "$2"
	local status=$?
	cloud '{"credentials": null}'
	return $status
}
check "no right to end an instance: said" denied ec2:TerminateInstances terminate
check "no right to set its health: said" denied autoscaling:SetInstanceHealth unhealthy
check "no right to replace it: said" denied autoscaling:TerminateInstanceInAutoScalingGroup lifetime

# ---- Ctrl-C ----
# interrupt GROUP WORDS COMMAND...: SIGINT once its log has the words; must end with 130
interrupt() {
	local group=$1 words=$2 pid i status=0
	shift 2
	"$mkappliance" drill "${aws[@]}" --interval 0 --group "$group" "$@" >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	for ((i = 0; i < 300; i++)); do
		! grep -q "$words" "$tmp/err" || break
		sleep 0.1
	done
	kill -INT $pid
	wait $pid || status=$?
	cat "$tmp/err"
	[ $status -eq 130 ]
}
# await GROUP STATUS: until its last refresh has it
await() {
	local i
	for ((i = 0; i < 300; i++)); do
		aws_cli autoscaling describe-instance-refreshes --auto-scaling-group-name "$1" --max-records 1 >"$tmp/refreshes.json" &&
			[ "$(json_get "$tmp/refreshes.json" InstanceRefreshes.0.Status)" = "$2" ] && return
		sleep 0.1
	done
	cat "$tmp/refreshes.json"
	return 1
}
deploying() {
	fleet stopped && interrupt stopped "InProgress" bad-image --image "$bad" && grep -q "interrupted in drill bad-image: group 'stopped' is rolled back" "$tmp/err" &&
		await stopped RollbackSuccessful
}
check "Ctrl-C while a bad image is deployed: it is rolled back" deploying
striking() {
	cloud '{"instance_launch_s": 500}'
	interrupt stopped "its power is taken" terminate && grep -q "group 'stopped' replaces by itself what is missing" "$tmp/err"
	local status=$?
	cloud '{"instance_launch_s": null}'
	return $status
}
check "Ctrl-C while a machine is missing: said" striking
