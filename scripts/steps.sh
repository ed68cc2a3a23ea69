# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts here: steps with a name and the time they took, on standard error.
# shellcheck shell=bash

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export root

# say TEXT: one line for the person who watches.
say() {
	printf '%s\n' "$*" >&2
}

# die TEXT: the reason, and the end.
die() {
	say "$(basename "$0"): $*"
	exit 1
}

# seconds_since START: with two decimals, START being what EPOCHREALTIME held.
seconds_since() {
	local now=${EPOCHREALTIME/[.,]/} then=${1/[.,]/}
	printf '%d.%02d' $(((now - then) / 1000000)) $(((now - then) / 10000 % 100))
}

# step NAME COMMAND...: runs it, says how long it took; its output goes to a log that is shown when it fails.
step() {
	local name=$1 start=$EPOCHREALTIME log status=0
	shift
	log=$(mktemp)
	if [ -t 2 ]; then printf '%-44s ' "$name" >&2; fi
	"$@" >"$log" 2>&1 || status=$?
	if [ $status -ne 0 ]; then
		printf '%-44s failed after %s s\n' "$([ -t 2 ] || echo "$name")" "$(seconds_since "$start")" >&2
		tail -n 40 "$log" >&2
		rm -f "$log"
		return $status
	fi
	if [ -t 2 ]; then
		printf '%8s s\n' "$(seconds_since "$start")" >&2
	else
		printf '%-44s %8s s\n' "$name" "$(seconds_since "$start")" >&2
	fi
	rm -f "$log"
}
