# shellcheck shell=bash disable=SC2154,SC2034 # variables of functions.sh and cloud.sh, and for the test
# SPDX-License-Identifier: Apache-2.0
#
# What the tests of Auto Scaling groups ask of the fake cloud. To be sourced behind functions.sh and cloud.sh, with the cloud started.

aws=(--endpoint-url "$cloud_url" --to aws)
post() { cloud_ask -X POST "$cloud_url/_fake/$1" -d "$2"; }
# fleet NAME [MEMBERS]: a group of three; its answer is in NAME.json
fleet() { post new-fleet "{\"group\": \"$1\", \"size\": 3${2:+, $2}}" >"$tmp/$1.json"; }
# image NAME [TAGS] [MEMBERS]: prints the id
image() {
	post new-image "{\"name\": \"$1\", \"tags\": ${2:-{\"mkappliance:state\": \"ready\"\}}${3:+, $3}}" >"$tmp/image.json" && json_get "$tmp/image.json" image
}
status() { "$mkappliance" status --group "$1" "${aws[@]}" --json >"$tmp/status.json"; }
# says TEXT FILE: waits until it stands there
says() { comes grep -q "$1" "$2"; }
changes() { cloud_ask "$cloud_url/_fake/counters" | python3 -c 'import json, sys; print(sum(v for k, v in json.load(sys.stdin).items()
	if k.startswith("action:") and not k.startswith(("action:Describe", "action:Get"))))'; }
# refused CODE TEXT COMMAND...: and nothing was changed
refused() {
	local before
	before=$(changes)
	fails_with "$@" && [ "$(changes)" = "$before" ]
}
