# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # $tmp is set by functions.sh
#
# A cache of the test's own that begins with what is slow to fetch. To be sourced behind functions.sh.

# own_cache LAYER...: XDG_CACHE_HOME becomes $tmp/cache, with a copy of the layers of these names ("base bookworm") that the cache which all
# tests share has by now. One that is replaced meanwhile is not the one of its record, and made anew.
own_cache() {
	local shared=${XDG_CACHE_HOME:-$HOME/.cache}/mkappliance/layers own=$tmp/cache/mkappliance/layers layer record
	mkdir -p "$own"
	for layer; do
		grep -lsF "\"what\": \"$layer\"" "$shared"/*.json | while read -r record; do
			cp "$record" "${record%.json}.tar" "$own/" 2>/dev/null
		done
	done
	export XDG_CACHE_HOME=$tmp/cache
}
