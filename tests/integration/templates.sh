#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every template builds, is proven, boots, answers its probes and stops; a second build asks no package manager.
# Takes: 350 s
. "$(dirname "$0")/functions.sh"

again() {
	"$mkappliance" build "$1" -o "$tmp/again" --offline --quiet && same_bytes "$2" "$tmp/again/$(basename "$2")"
}

for template in templates/*/; do
	name=$(basename "$template")
	if grep -q '^Source=rpm' "$template/appliance.conf" && ! can_sandbox; then
		check_skip "$name: 5 checks" "no sandbox here: the root directory is no mount point"
		continue
	fi
	# What a template needs besides mkappliance it makes itself, here in a copy.
	if [ -x "$template/make-image" ]; then
		cp -r "$template" "$tmp/source-$name"
		template=$tmp/source-$name
		check "$name: its image is made" "$template/make-image" || continue
	fi
	# Slow to make, so kept in build/.
	if [ -x "$template/make-base" ]; then
		check "$name: its base" "$template/make-base" || continue
	fi
	check "$name builds" "$mkappliance" build "$template" -o "$tmp/$name" --quiet || continue
	image=$(find "$tmp/$name" -name '*.raw')
	check "$name is what was built" "$mkappliance" verify "$image" --quiet
	check "$name boots, answers, stops" "$mkappliance" test "$image"
	check "$name again, without the package manager: the same bytes" again "$template" "$image"
	rm -rf "${tmp:?}/$name" "$tmp/source-$name" "$tmp/again"
done
