#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The README's first command, twice: the page on standard output, everything else on standard error, nothing left running.
# Takes: 70 s
. "$(dirname "$0")/functions.sh"
[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || skip "needs root or sudo"

# Compiled as it is: with other flags make would replace the programs under the tests that run beside this one.
if [ -e build/flags ]; then
	CC=$(sed 's/ -std=.*//' build/flags)
	export CC
	! grep -q -e ' -Werror ' build/flags || export WERROR=1
fi
shows_the_page() {
	scripts/demo "$tmp/out" >"$tmp/page" 2>"$tmp/said" || {
		cat "$tmp/said"
		return 1
	}
	grep -q 'Hello from a verified root' "$tmp/page" && grep -q '"event": "verified"' "$tmp/said" &&
		grep -q '^done in ' "$tmp/said"
}
check "scripts/demo shows the page that nginx serves" shows_the_page
check "and again" shows_the_page
check "each step says how long it took" [ "$(grep -cE '^[1-5]\. .* [0-9.]+ s$' "$tmp/said")" -eq 5 ]
nothing_runs() { ! pgrep -f "$tmp/out"; }
check "nothing is left running" nothing_runs
