#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What an image says of itself can be proved: it comes out again from its inputs, and its bills of materials say what changed.
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3
requires setpriv util-linux

synthetic_inputs "$tmp/in"
mkdir -p "$tmp/in/base/lib/apk/db"
printf 'P:%s\nV:%s\nA:x86_64\nL:MIT\n\n' musl 1.2.4-r2 zlib 1.3-r0 gone 1 >"$tmp/in/base/lib/apk/db/installed"
check "build" synthetic_build "$tmp/in" "$tmp/out" || exit
built=synthetic-1.0
manifest=$tmp/out/$built.manifest.json

# ---- rebuild ----

mkdir -m 1777 "$tmp/scratch"
# again DIR [OPTION...]: rebuilds from the inputs in DIR.
again() {
	local inputs=$1
	shift
	TMPDIR=$tmp/scratch MKAPPLIANCE_INIT=$inputs/init "$mkappliance" rebuild --manifest "$manifest" "$inputs" "$@"
}
identical() {
	"$@" >"$tmp/said" || return
	grep -qx "identical: every byte of synthetic 1.0 comes out again" "$tmp/said"
}
check "rebuild: identical" identical again "$tmp/in"
as_json() {
	again "$tmp/in" --json >"$tmp/said" && [ "$(json_get "$tmp/said" identical)" = true ] &&
		[ "$(json_get "$tmp/said" root_hash)" = "$(json_get "$manifest" verity.root_hash)" ]
}
check "rebuild: --json" as_json
check "rebuild: --quiet says nothing" test -z "$(again "$tmp/in" --quiet 2>&1)"

elsewhere() {
	local place=$tmp/elsewhere/of/another/length
	mkdir -p "$place" && cp -a "$tmp/in" "$place/" &&
		(cd "$place/in" && umask 077 && TZ=Pacific/Auckland LC_ALL=C.UTF-8 TMPDIR=$tmp/scratch \
			MKAPPLIANCE_INIT=../in/init identical "$mkappliance" rebuild --manifest "$manifest")
}
check "rebuild: in another place, time zone and locale" elsewhere
by_somebody() {
	install -m 755 "$mkappliance" "$tmp/mkappliance" &&
		TMPDIR=$tmp/scratch MKAPPLIANCE_INIT=$tmp/in/init identical setpriv --reuid=65534 --regid=65534 --clear-groups \
			"$tmp/mkappliance" rebuild --manifest "$manifest" "$tmp/in"
}
if [ "$(id -u)" -eq 0 ]; then
	# Owners of a directory are those on the disk, and root's are root's for him too.
	check "rebuild: by another user" by_somebody
else
	check_skip "rebuild: by another user" "needs root to become one"
fi

# differs TEXT COMMAND...: changes a copy of the inputs by the command; what is said has TEXT on one line.
differs() {
	local text=$1
	shift
	rm -rf "$tmp/changed" && cp -a "$tmp/in" "$tmp/changed" && (cd "$tmp/changed" && "$@") && fails_with 3 "$text" again "$tmp/changed"
}
append() { echo "$2" >>"$1"; }
flip() { printf 'P' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none && touch -d @1600000000 "$1"; }
check "rebuild: another file" differs "partition 'root' differs, first in /srv/page: its root hash" append page more
check "rebuild: and why" differs "cause: input file 'page' has the SHA-256" append page more
check "rebuild: a byte in a file of a directory" differs "first in /usr/bin/application: its root hash" flip base/usr/bin/application 700000
check "rebuild: which no digest knows" differs "cause: none among the inputs" flip base/usr/bin/application 700000
check "rebuild: another kernel" differs "partition 'esp' differs: the kernel image, outside of its initrd; cause: input kernel 'vmlinuz'" \
	flip vmlinuz 300000
check "rebuild: another init" differs "partition 'esp' differs: the initrd in the kernel image; cause: input init" append init more
check "rebuild: another command line" differs "cause: the kernel's command line is 'loglevel=4 console=ttyS1" sed -i s/ttyS0/ttyS1/ appliance.conf
check "rebuild: another version of a package" differs "cause: package musl (x86_64) is version 1.2.5-r0, the manifest says 1.2.4-r2" \
	sed -i s/1.2.4-r2/1.2.5-r0/ base/lib/apk/db/installed
check "rebuild: only the template's text" differs "every byte of the image is the same, but input template 'appliance.conf'" \
	append appliance.conf "# a comment"
difference_as_json() {
	local status=0
	again "$tmp/changed" --json >"$tmp/said" 2>"$tmp/errors" || status=$?
	[ $status -eq 3 ] && [ "$(json_get "$tmp/said" identical)" = false ] && json_get "$tmp/said" first_difference | grep -q "input template"
}
check "rebuild: a difference, --json" difference_as_json

without_blocks() {
	mkdir -p "$tmp/alone" && cp "$manifest" "$tmp/alone/" && rm -rf "$tmp/changed" && cp -a "$tmp/in" "$tmp/changed" &&
		echo more >>"$tmp/changed/page" && manifest=$tmp/alone/$built.manifest.json &&
		fails_with 3 "with the .blocks of that build beside the manifest the file is named" again "$tmp/changed"
}
check "rebuild: with the manifest alone" without_blocks

# edited SED TEXT: a manifest that somebody changed by hand.
edited() {
	mkdir -p "$tmp/edited" && cp "$tmp/out/$built.blocks" "$tmp/edited/" && sed "$1" "$tmp/out/$built.manifest.json" >"$tmp/edited/$built.manifest.json" &&
		! cmp -s "$tmp/out/$built.manifest.json" "$tmp/edited/$built.manifest.json" && manifest=$tmp/edited/$built.manifest.json &&
		fails_with 3 "$2" again "$tmp/in"
}
check "rebuild: a manifest edited by hand, a license" edited '0,/"MIT"/s//"GPL-2"/' "but not the manifest: line "
check "rebuild: a manifest edited by hand, the kernel's digest" edited "/\"name\": \"vmlinuz\"/,/size/s/\"sha256\": \"../&ab/;s/\(\"sha256\": \"..ab.\{60\}\)..\"/\1\"/" \
	"every byte of the image is the same, but input kernel 'vmlinuz'"
check "rebuild: a manifest edited by hand, the root hash" edited 's/"root_hash": "../"root_hash": "00/' "the UUIDs of root and root-verity are not those of the root hash"
check "rebuild: no manifest" fails_with 1 "No such file" "$mkappliance" rebuild --manifest "$tmp/none.json" "$tmp/in"
check "rebuild: not a manifest" fails_with 3 "not valid JSON" "$mkappliance" rebuild --manifest Makefile "$tmp/in"
check "rebuild: without a manifest" fails_with 2 "--manifest=FILE" "$mkappliance" rebuild "$tmp/in"
check "rebuild: no such template" fails_with 2 "$tmp/none" again "$tmp/none"
check "rebuild leaves nothing behind" test -z "$(ls -A "$tmp/scratch")"

# ---- sbom ----

rm -rf "$tmp/next"
cp -a "$tmp/in" "$tmp/next"
printf 'P:%s\nV:%s\nA:x86_64\nL:MIT\n\n' musl 1.2.5-r0 zlib 1.3-r0 new 2 >"$tmp/next/base/lib/apk/db/installed"
check "another build" synthetic_build "$tmp/next" "$tmp/out2" --quiet --version 2.0
spdx=$tmp/out/$built.spdx.json
spdx2=$tmp/out2/synthetic-2.0.spdx.json

printf 'apk %s x86_64\n' 'gone 1' 'musl 1.2.4-r2' 'zlib 1.3-r0' >"$tmp/listed"
check "sbom of an image" diff "$tmp/listed" <("$mkappliance" sbom "$tmp/out/$built.raw")
check "sbom of a manifest" diff "$tmp/listed" <("$mkappliance" sbom "$manifest")
check "sbom of an SPDX document" diff "$tmp/listed" <("$mkappliance" sbom "$spdx")
cat >"$tmp/changes" <<-'END'
	removed  apk gone x86_64 1
	changed  apk musl x86_64 1.2.4-r2 -> 1.2.5-r0
	added    apk new x86_64 2
END
check "sbom: what changed" diff "$tmp/changes" <("$mkappliance" sbom "$tmp/out/$built.raw" "$tmp/out2/synthetic-2.0.raw")
check "sbom: what changed between SPDX documents" diff "$tmp/changes" <("$mkappliance" sbom "$spdx" "$spdx2")
check "sbom: nothing changed" diff <(echo "the same 3 packages") <("$mkappliance" sbom "$spdx" "$manifest")
changes_json() {
	"$mkappliance" sbom "$spdx" "$spdx2" --json | python3 -c '
import json, sys
d = json.load(sys.stdin)
assert (d["from"]["name"], d["from"]["version"], d["to"]["version"]) == ("synthetic", "1.0", "2.0"), d
got = [(c["change"], c["name"], c["from"], c["to"]) for c in d["changes"]]
assert got == [("removed", "gone", "1", None), ("changed", "musl", "1.2.4-r2", "1.2.5-r0"), ("added", "new", None, "2")], got'
}
check "sbom: --json" changes_json
check "sbom: no such file" fails_with 1 "No such file" "$mkappliance" sbom "$tmp/none.raw"
check "sbom: an image without its manifest" fails_with 1 "without its manifest" "$mkappliance" sbom "$tmp/in/page"
printf '{"spdxVersion": "SPDX-3.0"}' >"$tmp/three.json"
check "sbom: another version of SPDX" fails_with 3 "'SPDX-3.0' is not a version of SPDX" "$mkappliance" sbom "$tmp/three.json"
printf '{"spdxVersion": "SPDX-2.3", "name": "x"}' >"$tmp/empty.json"
check "sbom: SPDX without packages" fails_with 3 "'packages' is missing" "$mkappliance" sbom "$tmp/empty.json"
cp "$tmp/in/appliance.conf" "$tmp/conf.json"
check "sbom: something else" fails_with 3 "conf.json" "$mkappliance" sbom "$tmp/out/$built.raw" "$tmp/conf.json"
