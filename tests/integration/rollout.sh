#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A group of real machines behind HAProxy: deployed, moved to another version while wrk asks all the time and the keeper is killed,
# rolled back, drilled, and gone without a trace.
# Takes: 200 s
. "$(dirname "$0")/functions.sh"
requires qemu-system-x86_64 qemu-system-x86
requires wrk
requires curl
requires python3
[ -x /usr/sbin/haproxy ] || requires haproxy
[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || skip "no UEFI firmware (apt-get install ovmf)"

export TMPDIR=$tmp XDG_STATE_HOME=$tmp
group=t$$
dir=$tmp/mkappliance/groups/$group

# build NAME SED-EXPRESSION: templates/hello, changed.
build() {
	mkdir -p "$tmp/$1"
	sed -e "s|\.\./\.\./build/hello|$(realpath build/hello)|" -e "$2" templates/hello/appliance.conf >"$tmp/$1/appliance.conf"
	"$mkappliance" build "$tmp/$1" -o "$tmp/out" --quiet
}
make_images() {
	build v1 's/1\.0\.0/1.0/' && build v2 's/1\.0\.0/2.0/' &&
		build bad 's/1\.0\.0/3.0/; s|/usr/bin/hello 8080|/usr/bin/hello 8081|; s/^Ready=.*/&\nReadyTimeout=8/' &&
		build mute 's/1\.0\.0/4.0/; /^\[Test\]/d; /^Get=/d'
}
check "the images" make_images || exit
v1=$tmp/out/hello-1.0.raw v2=$tmp/out/hello-2.0.raw bad=$tmp/out/hello-3.0.raw mute=$tmp/out/hello-4.0.raw

keeper() { pgrep -f "deploy --group $group --to libvirt --foreground" || true; }
machines() { pgrep -f "qemu-system.*$dir/" || true; }
balancers() { pgrep -f "haproxy.*$dir/" || true; }
status() { "$mkappliance" status --group "$group" --json >"$tmp/status.json"; }
value() { status && json_get "$tmp/status.json" "$1"; }
end_group() {
	[ ! -d "$dir" ] || timeout 60 "$mkappliance" deploy --group "$group" --destroy --quiet 2>/dev/null
	# shellcheck disable=SC2046
	[ -z "$(keeper)$(machines)$(balancers)" ] || kill -9 $(keeper) $(machines) $(balancers) 2>/dev/null
}
at_exit end_group

deploy() {
	"$mkappliance" deploy "$@" --group "$group" --checkpoint 2 --bake 2 --warmup 150 >"$tmp/deploy.out" 2>"$tmp/deploy.err"
}

# ---- what is refused before anything is made ----
check "no such group" fails_with 1 "there is no group 'nobody'" "$mkappliance" status --group nobody
check "a group that is no name" fails_with 2 "--group" "$mkappliance" status --group ../x
check "an unknown provider" fails_with 2 "unknown provider" "$mkappliance" deploy "$v1" --group "$group" --to mars
check "a plan that cannot be followed" \
	fails_with 2 "none can ever be replaced" "$mkappliance" deploy "$v1" --group "$group" --size 1 --max-healthy 100
check "too many" fails_with 2 "is more than" "$mkappliance" deploy "$v1" --group "$group" --size 100000
check "too little memory" fails_with 2 "not enough for the firmware" "$mkappliance" deploy "$v1" --group "$group" --memory 16
check "a bad --listen" fails_with 2 "not PORT or ADDRESS:PORT" "$mkappliance" deploy "$v1" --group "$group" --listen x:y:
check "a bad --health" fails_with 2 "not :PORT/PATH" "$mkappliance" deploy "$v1" --group "$group" --health healthz
check "an image without a probe" fails_with 2 "no Get= in [Test]" "$mkappliance" deploy "$mute" --group "$group"
check "no image" fails_with 1 "No such file" "$mkappliance" deploy "$tmp/none.raw" --group "$group"
check "an unknown kind of drill" fails_with 2 "not a kind of drill" "$mkappliance" drill --group "$group" explode
check "a state that lies too deep" fails_with 1 "too long for sockets" \
	env XDG_STATE_HOME="$tmp/$(printf 'x%.0s' {1..60})" "$mkappliance" status --group "$group"
python3 -c 'import socket,sys,time; s=socket.create_server(("127.0.0.1",0)); print(s.getsockname()[1],flush=True); time.sleep(60)' >"$tmp/taken" &
taker=$!
while [ ! -s "$tmp/taken" ]; do sleep 0.1; done
check "a port in use" fails_with 1 "is in use" "$mkappliance" deploy "$v1" --group "$group" --listen "$(cat "$tmp/taken")"
kill $taker
altered_is_refused() {
	mkdir -p "$tmp/altered" && cp "${v1%.raw}.manifest.json" "$tmp/altered/" && cp --sparse=always "$v1" "$tmp/altered/" || return
	python3 - "$tmp/altered/$(basename "$v1")" "$(json_get "${v1%.raw}.manifest.json" disk.partitions.1.offset)" <<-'PY' || return
		import sys
		with open(sys.argv[1], "r+b") as f:
		    f.seek(int(sys.argv[2]) + 4096 * 3)
		    b = f.read(1)
		    f.seek(-1, 1)
		    f.write(bytes([b[0] ^ 1]))
	PY
	fails_with 3 "not what was built" "$mkappliance" deploy "$tmp/altered/$(basename "$v1")" --group "$group"
}
check "an altered image is refused" altered_is_refused
check "and none of that made a group" [ ! -e "$dir" ]

# ---- a group ----
# Beside it somebody else would make it, of the altered image: that is refused, for the image or because he came second, and takes nothing of
# this one away.
new_group() {
	local other status=0 refused=0
	"$mkappliance" deploy "$tmp/altered/$(basename "$v1")" --group "$group" 2>"$tmp/other.err" &
	other=$!
	deploy "$v1" --size 3 --memory 256 --to libvirt || status=$?
	wait $other || refused=$?
	cat "$tmp/deploy.err" "$tmp/other.err"
	[ $status -eq 0 ] && { [ $refused -eq 3 ] || { [ $refused -eq 1 ] && grep -q "is under way" "$tmp/other.err"; }; } && [ "$(value serving)" = 3 ]
}
check "a new group, and a refused one of its name at the same time" new_group
url=$(value url)
serves() { curl -sS --max-time 20 "$url" | grep -q "hello from hello $1"; }
check "serves" serves 1.0
check "its settings are its own" fails_with 2 "of a group's first deployment" "$mkappliance" deploy --group "$group" --listen 1234
check "the image that it runs" deploy "$v1"
check "no previous image" fails_with 1 "no previous image" "$mkappliance" rollback --group "$group"
check "drills have to be allowed" fails_with 1 "--allow-drill" "$mkappliance" drill --group "$group" terminate

first_is_new() { [ "$(value deployment.phase)" = checkpoint ] && json_get "$tmp/status.json" instances | grep -q '2\.0'; }
# The keeper is killed when the first new machine is being started, and twice more; whoever follows the deployment starts another one.
moves_under_load() {
	local wrk keeper i status=0 deployment
	wrk -t1 -c4 -d600s --timeout 20s "$url" >"$tmp/wrk.out" 2>&1 &
	wrk=$!
	deploy "$v2" &
	deployment=$!
	comes first_is_new
	for i in 1 2 3; do
		keeper=$(keeper)
		[ -z "$keeper" ] || kill -9 "$keeper"
		sleep 3.$i
	done
	wait $deployment || status=$?
	kill -INT $wrk
	wait $wrk
	cat "$tmp/deploy.err" "$tmp/wrk.out"
	[ $status -eq 0 ] && [ "$(keeper)" != "$keeper" ] && serves 2.0 && grep -q "is gone; starting it again" "$tmp/deploy.err"
}
check "a new version under load, the keeper killed on the way" moves_under_load
no_request_failed() {
	cat "$tmp/wrk.out"
	grep -qE ' [1-9][0-9]* requests in' "$tmp/wrk.out" && ! grep -qE 'Non-2xx|Socket errors' "$tmp/wrk.out"
}
check "and not one request failed" no_request_failed
check "what status says" python3 - "$tmp" <<-'PY'
	import json, subprocess, sys
	s = json.load(open(sys.argv[1] + "/status.json"))
	assert (s["desired"], s["provider"]) == (3, "libvirt"), s
	assert s["deployment"]["lowest_serving"] >= 3, s
	assert s["deployment"]["number"] == 2, s
PY
both_images() {
	status && [ "$(json_get "$tmp/status.json" image_name)" = "hello 2.0" ] && [ "$(json_get "$tmp/status.json" previous_name)" = "hello 1.0" ] &&
		[ "$(json_get "$tmp/status.json" well)" = true ] && "$mkappliance" status --group "$group" | grep -q "3 of 3 serve hello 2.0"
}
check "this image and the previous one" both_images

rolls_back() { "$mkappliance" rollback --group "$group" >"$tmp/rollback.out" 2>&1 && serves 1.0; }
check "rollback" rolls_back
check "rollback to an image that is not there" fails_with 1 "has no image '9.9'" "$mkappliance" rollback --group "$group" --image 9.9

# Its machine gives up after ReadyTimeout=, and the group is as it was.
bad_goes_back() {
	fails_with 4 "rolled back: ended: " "$mkappliance" deploy "$bad" --group "$group" && serves 1.0 && [ "$(value well)" = true ]
}
check "an image whose readiness never comes: back, exit code 4" bad_goes_back

check "drills are allowed from now on" deploy --allow-drill
check "a report that cannot be written is known before anything is struck" fails_with 1 "No such file" \
	"$mkappliance" drill --group "$group" terminate --report "$tmp/none/drill.json"
drills() {
	"$mkappliance" drill --group "$group" terminate tampered-image lifetime --report "$tmp/drill.json" --junit "$tmp/drill.xml" 2>&1
}
check "a machine lost, a tampered image, a lifetime" drills
check "the reports" python3 - "$tmp/drill.json" "$tmp/drill.xml" "$dir/drills.json" <<-'PY'
	import json, sys, xml.etree.ElementTree as x
	r = json.load(open(sys.argv[1]))
	by = {d["drill"]: d for d in r["drills"]}
	assert r["ok"] and len(by) == 3, r
	assert by["terminate"]["lowest_serving"] == 2, by
	assert "refused (corruption" in by["tampered-image"]["detail"], by
	assert by["tampered-image"]["lowest_serving"] == 3 and by["tampered-image"]["requests_lost"] == 0, by
	assert by["lifetime"]["lowest_serving"] == 3 and by["lifetime"]["requests_lost"] == 0, by
	for d in r["drills"]:
	    assert 0 < d["time_to_detect"] <= d["time_to_recover"] and d["requests"] > 10, d
	suite = x.parse(sys.argv[2]).getroot()
	assert suite.get("tests") == "3" and suite.get("failures") == "0"
	assert len(json.load(open(sys.argv[3]))) == 3
PY

# status --watch: in a log, as JSON, on a terminal; Ctrl-C ends it with 0.
two_looks() { [ "$(wc -l <"$tmp/watch.log")" -ge 2 ]; }
watches() {
	local pid status=0
	"$mkappliance" status --group "$group" --watch --json >"$tmp/watch.log" 2>&1 &
	pid=$!
	comes two_looks
	kill -INT $pid
	wait $pid || status=$?
	[ $status -eq 0 ] && python3 tests/integration/watch_pty.py 24 100 2 "$mkappliance" status --group "$group" -w >"$tmp/pty.json" && python3 - "$tmp" <<-'PY'
		import json, sys
		looks = [json.loads(line) for line in open(sys.argv[1] + "/watch.log")]
		assert len(looks) >= 2 and all(l["desired"] == 3 and l["time"] for l in looks), looks
		assert [d["drill"] for d in looks[0]["drills"]] == ["terminate", "tampered-image", "lifetime"], looks[0]
		assert all(d["ok"] and d["seconds"] > 0 for d in looks[0]["drills"]), looks[0]
		seen = json.load(open(sys.argv[1] + "/pty.json"))
		assert seen["exit"] == 0 and len(seen["frames"]) == 2 and all(" serve hello 1.0 " in f[0] for f in seen["frames"]), seen
	PY
}
check "status, again and again, with the last drills" watches

# ---- a keeper that cannot work ----
says() { "$mkappliance" status --group "$group" | grep -q "$1"; }
says_not() { ! says "$1"; }
# No balancer can be asked, nor started.
silent_balancer() {
	local status=0
	mv "$dir/haproxy.sock" "$dir/haproxy.cfg" "$tmp/" && mkdir "$dir/haproxy.cfg" || return
	comes says "its keeper cannot work: .*haproxy.cfg" && value trouble | grep -q haproxy.cfg || status=1
	rmdir "$dir/haproxy.cfg" && mv "$tmp/haproxy.cfg" "$tmp/haproxy.sock" "$dir/" && comes says_not "cannot work" && [ "$(value trouble)" = None ] && return $status
}
check "why the keeper cannot work is in its status" silent_balancer
comes_back() { rm "$dir/state.json" && comes test -e "$dir/state.json" && serves 1.0 && [ "$(value well)" = true ]; }
check "its state is taken away: it writes it again" comes_back
# And when there is none to write it, a new one does not end what serves.
state_is_gone() {
	local before keeper
	before=$(machines) keeper=$(keeper)
	kill -9 "$keeper" && gone "$keeper" && mv "$dir/state.json" "$tmp/" && fails_with 1 "state.json is gone; its 3 machines" status &&
		fails_with 1 "state.json is gone" "$mkappliance" deploy --group "$group" --size 3 &&
		fails_with 1 "state.json is gone" "$mkappliance" deploy --group "$group" --to libvirt --foreground &&
		[ "$(machines)" = "$before" ] && serves 1.0 && mv "$tmp/state.json" "$dir/" && says "its keeper cannot work: .*is gone" &&
		deploy --size 3 && [ "$(machines)" = "$before" ] && [ "$(value trouble)" = None ]
}
check "without a keeper that is said, and nothing is ended; it goes on when the state is back" state_is_gone

# ---- the end ----
to_nothing() {
	deploy --size 0 && [ -z "$(keeper)$(machines)$(balancers)" ] && [ "$(value desired)" = 0 ]
}
check "size 0: no machine, no balancer, no keeper" to_nothing
destroys() {
	"$mkappliance" deploy --group "$group" --destroy && [ ! -e "$dir" ] && [ -z "$(keeper)$(machines)$(balancers)" ]
}
# Its files are damaged, and something runs from its directory: it can be ended all the same.
mkdir "$tmp/kept" && cp "$dir"/*.json "$tmp/kept"
restore() { mkdir -p "$dir/m/i-9" && cp "$tmp/kept"/*.json "$dir"; }
damaged() {
	local fake status
	bash -c 'exec -a qemu-system-left python3 -c "import time; time.sleep(600)" "$0"' "$dir/m/i-9/disk" &
	fake=$!
	restore && "$@" && fails_with 1 "$group" "$mkappliance" deploy "$v1" --group "$group" && timeout 60 "$mkappliance" deploy --group "$group" --destroy 2>"$tmp/err" &&
		[ ! -e "$dir" ] && [ -z "$(keeper)$(machines)$(balancers)" ]
	status=$?
	cat "$tmp/err"
	kill $fake 2>/dev/null
	return $status
}
cut_state() { head -c 100 "$tmp/kept/state.json" >"$dir/state.json" && fails_with 1 "state.json" "$mkappliance" status --group "$group"; }
check "a state that was cut off: said, and the group can be destroyed" damaged cut_state
cut_settings() { head -c 10 "$tmp/kept/settings.json" >"$dir/settings.json"; }
check "settings that were cut off: the same" damaged cut_settings
no_settings() { rm "$dir/settings.json"; }
check "no settings any more: nothing is made over it, and the same" damaged no_settings
no_state() { rm "$dir/state.json"; }
check "no state any more, and something runs: the same" damaged no_state
restore
check "destroyed: nothing is left" destroys
