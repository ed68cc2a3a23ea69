#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The whole way, with machines that are real: built, uploaded, registered, in a group behind a balancer, moved to the next version, an altered
# image kept out, an instance lost, and back, while wrk asks all the time. The fake cloud's instances boot what its snapshots hold.
# Takes: 110 s
. "$(dirname "$0")/functions.sh"
requires python3
requires curl
requires wrk
requires qemu-system-x86_64 qemu-system-x86
[ -x /usr/sbin/haproxy ] || requires haproxy
[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || skip "no UEFI firmware (apt-get install ovmf)"
. "$(dirname "$0")/cloud.sh"

# A second of this cloud is 0.2 s: checks every 2 s, 2 s for the first new instance, 4 s for those that drain.
cloud_start '{"machines": {"memory": 192}, "scale": 0.2, "asg_tick_s": 1, "instance_launch_s": 2, "instance_terminate_s": 2, "drain_s": 20}' || exit 1
export CLOUD_URL=$cloud_url
group=shop
port=$(free_port)
url=http://127.0.0.1:$port/
processes() { pgrep -f "(qemu-system|haproxy).*$cloud_state/" || true; }
nothing_left() {
	local i
	for ((i = 0; i < 50; i++)); do
		[ -n "$(processes)" ] || return 0
		sleep 0.1
	done
	ps -fp "$(processes | paste -sd,)"
	return 1
}

# build VERSION; upload VERSION
build() {
	mkdir -p "$tmp/$1"
	sed -e "s|\.\./\.\./build/hello|$(realpath build/hello)|" -e "s/1\.0\.0/$1/" templates/hello/appliance.conf >"$tmp/$1/appliance.conf"
	"$mkappliance" build "$tmp/$1" -o "$tmp/out" --quiet
}
upload() {
	"$mkappliance" upload "$tmp/out/hello-$1.raw" --endpoint-url "$cloud_url" --region us-east-1 --json >"$tmp/$1.json"
}
in_cloud() { python3 tests/integration/cloud_machines.py "$@"; }
asg=(--group "$group" --endpoint-url "$cloud_url" --to aws)
follow() { timeout 300 "$mkappliance" "$@" "${asg[@]}" --interval 1 >"$tmp/said" 2>"$tmp/err" || { local status=$?; cat "$tmp/err"; return $status; }; }
deploy() { follow deploy "$@" --checkpoint 10 --bake 5 --warmup 150; }
status() { "$mkappliance" status "${asg[@]}" --json >"$tmp/status.json"; }

# well IMAGE: both serve, of that image, and nothing else is there; it may take a while.
well() {
	local i
	for ((i = 0; i < 240; i++)); do
		! status || ! python3 - "$tmp/status.json" "$1" <<-'PY' || return 0
			import json, sys
			s = json.load(open(sys.argv[1]))
			sys.exit(not (s["serving"] == 2 and [i["image"] for i in s["instances"]] == [sys.argv[2]] * 2))
		PY
		sleep 0.5
	done
	cat "$tmp/status.json" "$tmp/cloud.log"
	return 1
}
# pages_since LINE: what was seen after that many pages
seen() { wc -l <"$tmp/pages"; }
pages_since() { tail -n "+$(($1 + 1))" "$tmp/pages" | sort -u | paste -sd' '; }
# Whoever was asked before a change may answer after it: what comes now is what counts.
now_serves() {
	local from
	sleep 0.5
	from=$(seen)
	sleep 1.5
	[ "$(pages_since "$from")" = "$1" ] || { pages_since "$from"; return 1; }
}

both_built() { build 1.0 && build 2.0; }
check "two versions" both_built || exit
uploads() {
	upload 1.0 && upload 2.0 && cat "$tmp/2.0.json" && [ "$(json_get "$tmp/2.0.json" plan.unchanged)" -gt 0 ] && [ "$(json_get "$tmp/2.0.json" parent)" != None ]
}
check "are uploaded, the second as a difference" uploads || exit
v1=$(json_get "$tmp/1.0.json" images.0.image) v2=$(json_get "$tmp/2.0.json" images.0.image)
starts() {
	target=$(in_cloud balancer $group "$port") && in_cloud group $group "$target" "$v1" && well "$v1"
}
check "a group of two machines" starts || exit

PAGES=$tmp/pages wrk -t1 -c4 -d900s --timeout 20s -s tests/integration/pages.lua "$url" >"$tmp/wrk" 2>&1 &
wrk=$!
check "that serves version 1.0" now_serves 1.0
moves() { deploy "$v2" && well "$v2"; }
check "moves to version 2.0" moves
check "and serves that" now_serves 2.0

# ---- somebody alters the image ----
altered=$(in_cloud alter "$v2" "$tmp/out/hello-2.0.raw" "hello from %s %s" "owned from %s %s")
before=$(seen)
check "an altered image is not what was built" fails_with 3 "" \
	"$mkappliance" verify "aws:$altered" --full --manifest "$tmp/out/hello-2.0.manifest.json" --endpoint-url "$cloud_url"
check "nobody proved it" fails_with 3 "--unverified" "$mkappliance" deploy "$altered" "${asg[@]}"
# It is tried all the same. An instance that is ended is replaced first: a planned failure as any.
drills() {
	follow drill terminate tampered-image --image "tampered-image=$altered" --url "$url" --report "$tmp/drill.json" && well "$v2"
}
check "an instance lost, and the altered image: the group recovers" drills
refused_itself() {
	local instance
	instance=$(grep -oE "i-[0-9a-f]+  $altered" "$tmp/err" | head -n 1)
	aws_cli ec2 get-console-output --instance-id "${instance%%  *}" | json_get /dev/stdin Output >"$tmp/console" &&
		grep -a '"event": *"refused"' "$tmp/console"
}
check "since it refuses itself" refused_itself
check "the report" python3 - "$tmp/drill.json" <<-'PY'
	import json, sys
	r = json.load(open(sys.argv[1]))
	by = {d["drill"]: d for d in r["drills"]}
	assert r["ok"] and by["terminate"]["lowest_serving"] >= 1 and by["tampered-image"]["lowest_serving"] == 2, r
	assert all(d["requests"] > 10 and d["requests_lost"] == 0 for d in by.values()), r
PY
check "it never served" [ "$(pages_since "$before")" = 2.0 ]

# ---- and back ----
back() { follow rollback --image "$v1" && well "$v1"; }
check "back to version 1.0" back
check "and serves that" now_serves 1.0

kill -INT $wrk
wait $wrk
no_request_failed() {
	cat "$tmp/wrk"
	grep -qE ' [1-9][0-9]* requests in' "$tmp/wrk" && ! grep -qE 'Non-2xx|Socket errors' "$tmp/wrk"
}
check "not one of $(seen) requests failed" no_request_failed
check "and nobody saw another page" [ "$(pages_since 0)" = "1.0 2.0" ]
cloud_kill
check "nothing outlives its cloud" nothing_left
