#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# drill and status --watch of an Auto Scaling group, against the fake cloud: what must come of each planned failure, groups that are left
# alone, Ctrl-C, the history in tags, a group of 500 within the quotas. Debian's aws looks at what became of it; moto is asked for a status.
# Takes: 70 s, waiting
. "$(dirname "$0")/functions.sh"
requires python3
requires curl
requires /usr/bin/aws awscli
. "$(dirname "$0")/cloud.sh"
cloud_start '{"scale": 0.02}' || exit 1

. "$(dirname "$0")/fleet.sh"
# fleet NAME [MEMBERS]: a group of six that drills are allowed in; its answer is in NAME.json
fleet() { post new-fleet "{\"group\": \"$1\", \"size\": 6, \"tags\": {\"mkappliance:drill\": \"allowed\"}${2:+, $2}}" >"$tmp/$1.json"; }
image() { post new-image "{\"name\": \"$1\"}" >"$tmp/image.json" && json_get "$tmp/image.json" image; }
drill() { timeout 100 "$mkappliance" drill "${aws[@]}" --interval 0 "$@"; }
# report PYTHON: what it says of r (the report) and by (drills by kind) is true
report() { python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); by = {d["drill"]: d for d in r["drills"]}; sys.exit(0 if eval("(" + sys.argv[2] + ")") else "%s" % r)' "$tmp/report.json" "$1"; }

fleet web || exit 1
own=$(json_get "$tmp/web.json" image)
bad=$(image bad) tampered=$(image tampered) crash=$(image crash) fine=$(image fine)
behave="\"$bad\": {\"never\": true, \"reason\": \"Target.Timeout\"}, \"$tampered\": {\"never\": true}, \"$crash\": {\"healthy_after_s\": 5, \"crash_after_s\": 20}"
cloud "{\"images\": {$behave}}"
python3 -u -m http.server --bind 127.0.0.1 --directory "$tmp/certificate" 0 >"$tmp/http.log" 2>&1 &
http_pid=$!
stop_http() { kill "$http_pid" 2>/dev/null; }
at_exit stop_http
http_url() { comes grep -q '(http:' "$tmp/http.log" && sed -n 's/.*(\(http:[^)]*\)).*/\1/p' "$tmp/http.log"; }

# ---- all of them ----
# With the rights that aws-policy says, and no more.
"$mkappliance" aws-policy --drill --no-upload --group web >"$tmp/policy" && with_policy "$tmp/policy" || exit 1
drills() {
	limited drill --group web terminate unhealthy lifetime bad-image tampered-image crash-loop --image "$bad" --image "tampered-image=$tampered" \
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
	fleet mild '"size": 2' || return
	fails_with 1 "1 of 1 drills did not end as they must" drill --group mild bad-image --image "$fine" --report "$tmp/report.json" &&
		report 'not r["ok"] and "image was healthy" in by["bad-image"]["detail"]' && status mild &&
		[ "$(json_get "$tmp/status.json" image)" = "$(json_get "$tmp/mild.json" image)" ] && [ "$(json_get "$tmp/status.json" serving)" = 2 ] &&
		json_get "$tmp/status.json" drills | grep -q '"drill": "bad-image".*"ok": false'
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

# ---- reports ----
# What cannot be written is known before anything is struck; what came of those that were held is written though the next one cannot be.
untouched() {
	local before
	before=$(cloud_counter action:TerminateInstances)
	fails_with "$@" && [ "$(cloud_counter action:TerminateInstances)" = "$before" ]
}
mkdir "$tmp/full"
check "a report in a directory that is not there" untouched 1 "No such file" drill --group web terminate --report "$tmp/none/report.json"
check "a report that is a directory" untouched 1 "is a directory" drill --group web terminate --junit "$tmp/full"
check "a report that is a device" untouched 1 "is a device, pipe or socket" drill --group web terminate --report /dev/null
full() {
	untouched 1 "no space left on the disk" timeout 100 strace -f -qq -o /dev/null -e inject=fallocate:error=ENOSPC "$mkappliance" drill "${aws[@]}" --group web terminate \
		--report "$tmp/full/report.json" && [ -z "$(ls -A "$tmp/full")" ]
}
if command -v strace >/dev/null; then
	check "a report on a disk that is full" full
else
	check_skip "a report on a disk that is full" "strace is not installed (apt-get install strace)"
fi
second() {
	fails_with 1 "is the image that group 'web' runs" drill --group web terminate bad-image --image "$own" --report "$tmp/report.json" --junit "$tmp/report.xml" &&
		report 'not r["ok"] and by["terminate"]["ok"] and r["not_held"] == "bad-image" and "is the image that" in r["error"]' &&
		grep -q 'tests="2" failures="1"' "$tmp/report.xml"
}
check "the second one cannot be held: the first one is reported, and why" second

# ---- groups that are left alone ----
check "no such group" fails_with 1 "no Auto Scaling group 'none'" drill --group none terminate
fleet closed '"tags": {}' && check "no tag" fails_with 1 "no tag mkappliance:drill=allowed" drill --group closed terminate
fleet other '"tags": {"mkappliance:drill": "yes"}' && check "another value of the tag" fails_with 1 "no tag mkappliance:drill=allowed" drill --group other terminate
fleet busy && aws_cli autoscaling start-instance-refresh --auto-scaling-group-name busy >/dev/null &&
	check "a refresh under way" fails_with 1 "instance refresh" drill --group busy terminate
fleet halted && aws_cli autoscaling suspend-processes --auto-scaling-group-name halted --scaling-processes ReplaceUnhealthy &&
	check "a suspended process" fails_with 1 "ReplaceUnhealthy is suspended" drill --group halted unhealthy
fleet empty '"size": 0' && check "no machines" fails_with 1 "has no machines" drill --group empty terminate
fleet alone '"size": 1' && check "the only machine" fails_with 1 "has no machine but $(json_get "$tmp/alone.json" instances.0): nobody would serve" drill --group alone terminate
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
	local group=$1 words=$2 pid status=0
	shift 2
	"$mkappliance" drill "${aws[@]}" --interval 0 --group "$group" "$@" >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	says "$words" "$tmp/err"
	kill -INT $pid
	wait $pid || status=$?
	cat "$tmp/err"
	[ $status -eq 130 ]
}
last_refresh_is() {
	aws_cli autoscaling describe-instance-refreshes --auto-scaling-group-name "$1" --max-records 1 >"$tmp/refreshes.json" &&
		[ "$(json_get "$tmp/refreshes.json" InstanceRefreshes.0.Status)" = "$2" ]
}
# await GROUP STATUS: until its last refresh has it
await() {
	! comes last_refresh_is "$@" || return 0
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

# ---- status, again and again ----
# On a terminal: rewritten in place, cut at its size; what is not as it should be comes first.
on_a_terminal() {
	python3 tests/integration/watch_pty.py 10 60 3 "$mkappliance" status --group three "${aws[@]}" --watch=1 >"$tmp/pty.json" && python3 - "$tmp/pty.json" <<-'PY'
		import json, sys
		seen = json.load(open(sys.argv[1]))
		assert seen["exit"] == 0, seen
		for frame in seen["frames"]:
		    assert 5 <= len(frame) <= 9 and all(len(line) < 60 for line in frame) and frame[0].startswith("three: 3 of 3 serve"), seen
	PY
}
check "status --watch on a terminal: in place, Ctrl-C ends it with 0" on_a_terminal
crowded() {
	python3 tests/integration/watch_pty.py 9 80 2 "$mkappliance" status --group slow "${aws[@]}" --watch=1 >"$tmp/pty.json" && python3 - "$tmp/pty.json" <<-'PY'
		import json, re, sys
		seen = json.load(open(sys.argv[1]))
		for frame in seen["frames"]:
		    assert len(frame) <= 8 and re.fullmatch(r"\(and [1-6] more\)", frame[-1]), seen
	PY
}
check "  what does not fit is counted" crowded
# watching WORDS COMMAND...: status --watch into $tmp/watch.log; the command; SIGINT once the words are there; must end with 0
watching() {
	local words=$1 pid status=0
	shift
	"$mkappliance" status --group three "${aws[@]}" --watch=1 "${more[@]}" >"$tmp/watch.log" 2>&1 &
	pid=$!
	comes test -s "$tmp/watch.log"
	"$@" || status=1
	says "$words" "$tmp/watch.log"
	kill -INT $pid
	wait $pid || status=1
	cat "$tmp/watch.log"
	grep -q "$words" "$tmp/watch.log" && return $status
}
in_a_log() {
	local more=() victim
	victim=$(json_get "$tmp/three.json" instances.0)
	watching "$victim  gone" aws_cli autoscaling terminate-instance-in-auto-scaling-group --instance-id "$victim" --no-should-decrement-desired-capacity || return
	[ "$(grep -vcE '^20[0-9-]+T[0-9:]+Z (three: [0-9] of 3 serve|i-|previous|last)' "$tmp/watch.log")" = 0 ] &&
		[ "$(grep -c "Z $(json_get "$tmp/three.json" instances.1) " "$tmp/watch.log")" = 1 ]
}
check "in a log: a line a look, and one for each change" in_a_log
drifts() {
	local more=(--json) template
	template=$(json_get "$tmp/three.json" template)
	aws_cli ec2 create-launch-template-version --launch-template-id "$template" --source-version 1 --launch-template-data "ImageId=$fine" >"$tmp/version.json" || return
	watching '"drift": *true' aws_cli autoscaling update-auto-scaling-group --auto-scaling-group-name three --launch-template "LaunchTemplateId=$template,Version=2" || return
	python3 - "$tmp/watch.log" "$fine" <<-'PY' || return
		import json, sys
		looks = [json.loads(line) for line in open(sys.argv[1])]
		assert len(looks) >= 2 and all(l["time"].endswith("Z") and len(l["instances"]) >= 3 for l in looks), looks
		assert looks[-1]["image"] == sys.argv[2] and looks[-1]["template_version"] == "2", looks[-1]
		drifting = [i for i in looks[-1]["instances"] if i["drift"]]
		assert drifting and all("of version 1" in i["drift_reason"] for i in drifting), looks[-1]
	PY
	"$mkappliance" status --group three "${aws[@]}" >"$tmp/out" && grep -qE "^drift: 3 of 3 instances: i-[0-9a-f]+, i-" "$tmp/out" && [ "$(grep -c 'DRIFT: image ami-.* of version 1' "$tmp/out")" = 3 ]
}
check "as JSON: a document a line; drift is named" drifts
past() {
	status web && python3 - "$tmp/status.json" "$own" <<-'PY'
		import json, sys
		s = json.load(open(sys.argv[1]))
		assert [d["drill"] for d in s["drills"]] == ["terminate", "unhealthy", "bad-image", "tampered-image", "crash-loop", "lifetime"], s
		assert all(d["date"].startswith("20") and d["seconds"] > 0 and d["ok"] for d in s["drills"]), s
		assert s["refresh"]["status"] == "RollbackSuccessful" and s["refresh"]["ended"] > s["refresh"]["started"] and s["drill_allowed"], s
	PY
}
check "the last refresh and the last drills" past
check "no interval" fails_with 2 "is not a number" "$mkappliance" status --group web "${aws[@]}" --watch=soon
unread() {
	cloud "{\"credentials\": {\"AKIAFAKEFAKEFAKEFAKE\": {\"secret\": \"$AWS_SECRET_ACCESS_KEY\", \"account\": \"111122223333\", \"arn\": \"arn:aws:iam::111122223333:user/test\", \"deny\": [\"autoscaling:DescribeInstanceRefreshes\"]}}}"
	status web
	local status=$?
	cloud '{"credentials": null}'
	[ $status = 0 ] && grep -q '"error": "autoscaling:DescribeInstanceRefreshes web: AccessDenied' "$tmp/status.json"
}
check "a refresh that may not be read is said, the rest is shown" unread

# ---- 500 instances ----
# What AWS publishes: Elastic Load Balancing 10 Describe* a second and 40 at once, EC2 20 and 100 (filtered or paginated), each per account and
# region; nothing for Auto Scaling, 10 here. A look every second is five times as often as by default, and nothing is throttled.
fleet=$(image fleet)
crowd() {
	cloud '{"scale": 0.01, "throttle_burst": 4, "throttle": {"DescribeTargetHealth": 10, "DescribeInstances": 20, "DescribeLaunchTemplateVersions": 20,
		"DescribeInstanceRefreshes": 10, "DescribeAutoScalingGroups": 10, "DescribeScalingActivities": 10}}' && fleet crowd '"size": 500' || return
	cloud_ask -X DELETE "$cloud_url/_fake/counters" >/dev/null
	python3 - "$tmp/crowd.json" "$mkappliance" deploy "$fleet" --group crowd "${aws[@]}" --unverified --interval 1 --checkpoint 20 --bake 20 <<-'PY'
		import json, resource, subprocess, sys
		done = subprocess.run(sys.argv[2:], capture_output=True, timeout=500)
		json.dump({"exit": done.returncode, "kib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, "said": done.stderr.decode()[-2000:]}, open(sys.argv[1], "w"))
	PY
	cloud_ask "$cloud_url/_fake/counters" >"$tmp/counters.json"
	python3 - "$tmp/crowd.json" "$tmp/counters.json" <<-'PY'
		import json, sys
		crowd, counters = [json.load(open(f)) for f in sys.argv[1:]]
		assert crowd["exit"] == 0, crowd
		assert crowd["kib"] < 64 << 10, crowd["kib"]
		assert not [c for c in counters if c.startswith("throttled:")], counters
		calls = {c[7:]: n for c, n in counters.items() if c.startswith("action:")}
		looks = calls["DescribeInstanceRefreshes"]
		assert looks >= 2 and calls["DescribeTargetHealth"] <= looks and calls["DescribeAutoScalingGroups"] <= looks + 1, calls
		assert calls.get("DescribeScalingActivities", 0) <= 2 * looks and sum(calls.values()) <= 5 * looks + 10, calls
		print("%d looks, %d calls, %d KiB" % (looks, sum(calls.values()), crowd["kib"]))
	PY
}
check "500 instances are moved within the quotas, five calls a look, in less than 64 MiB" crowd
crowd_status() {
	cloud_ask -X DELETE "$cloud_url/_fake/counters" >/dev/null
	status crowd && [ "$(json_get "$tmp/status.json" serving)" = 500 ] && [ "$(cloud_counter action:DescribeInstances)" = 5 ] && [ "$(cloud_counter action:DescribeTargetHealth)" = 1 ] &&
		python3 -c 'import json, sys; s = json.load(open(sys.argv[1])); assert {i["image"] for i in s["instances"]} == {sys.argv[2]} and len(s["instances"]) == 500' "$tmp/status.json" "$fleet"
}
check "their status: 100 instances a call" crowd_status

# ---- moto ----
moto=build/oracles/bin/moto_server
if [ ! -x "$moto" ]; then
	check_skip "moto's group" "no moto in build/oracles (scripts/setup test)"
	exit
fi
moto_port=$(free_port)
"$moto" -H 127.0.0.1 -p "$moto_port" >"$tmp/moto.log" 2>&1 &
moto_pid=$!
stop_moto() { kill "$moto_pid" 2>/dev/null; }
at_exit stop_moto
comes curl -s --noproxy '*' -o /dev/null "http://127.0.0.1:$moto_port/moto-api/"
# Moto has no instance refreshes: that is said, and the rest is there.
moto_status() {
	build/oracles/bin/python tests/integration/moto_group.py "http://127.0.0.1:$moto_port" >"$tmp/moto.json" &&
		"$mkappliance" status --group web --to aws --endpoint-url "http://127.0.0.1:$moto_port" --json >"$tmp/status.json" && python3 - "$tmp" <<-'PY'
			import json, sys
			made, s = [json.load(open(sys.argv[1] + f)) for f in ("/moto.json", "/status.json")]
			assert s["desired"] == s["serving"] == 3 and s["image"] == made["image"] and s["template"] == made["template"], s
			assert sorted(i["id"] for i in s["instances"]) == made["instances"], s
			assert all(i["target"] == "healthy" and i["image"] == made["image"] and i["launched"] and not i["drift"] for i in s["instances"]), s
			assert "DescribeInstanceRefreshes" in s["refresh"]["error"] and s["drills"][0]["seconds"] == 42.1, s
		PY
}
check "the status of moto's group, targets and instances" moto_status
