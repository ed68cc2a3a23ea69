#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rebuild --refresh: newer packages are told with what they fix, become another image, and that is tested before it is offered.
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3

synthetic_inputs "$tmp/in"
base=$tmp/in/base
mkdir -p "$base/var/lib/dpkg" "$base/usr/share/doc/openssl" "$base/usr/share/doc/libssl3"
printf '\n[Test]\nTimeout=3\n' >>"$tmp/in/appliance.conf"
# packages VERSION: both of one source, the changelog in one of them.
packages() {
	printf 'Package: %s\nStatus: install ok installed\nArchitecture: amd64\nVersion: %s\nSource: openssl\n\n' openssl "$1" libssl3 "$1" \
		>"$base/var/lib/dpkg/status"
	printf 'Package: same\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n' >>"$base/var/lib/dpkg/status"
}
# entry VERSION TEXT
entry() {
	printf 'openssl (%s) bookworm; urgency=medium\n\n  * %s\n\n -- Somebody <a@example.org>  Thu, 01 Jan 2026 00:00:00 +0000\n\n' "$1" "$2"
}
packages 3.0.11-1
entry 3.0.11-1 "Fix CVE-2020-0001." | gzip -n >"$base/usr/share/doc/openssl/changelog.Debian.gz"
check "build" synthetic_build "$tmp/in" "$tmp/out" --quiet || exit
old=$tmp/out/synthetic-1.0.manifest.json

refresh() {
	MKAPPLIANCE_INIT=$tmp/in/init "$mkappliance" rebuild --refresh --manifest "$old" -o "$tmp/new" "$@"
}
nothing_newer() {
	refresh --version 1.1 --no-test "$tmp/in" >"$tmp/said" && grep -qx "nothing is newer: the same 3 packages" "$tmp/said" && [ ! -e "$tmp/new" ]
}
check "nothing is newer: nothing is built" nothing_newer

packages 3.0.13-1
{
	entry 3.0.13-1 "New upstream. Fixes CVE-2024-0727 and CVE-2023-5678, CVE-2024-0727."
	entry 3.0.12-1 "CVE-2023-5363 (incorrect cipher key); not a CVE: CVE-2023-x, CVE-20-1234."
	entry 3.0.11-1 "Fix CVE-2020-0001."
} | gzip -n >"$base/usr/share/doc/openssl/changelog.Debian.gz"
newer() {
	refresh --version 1.1 --no-test "$tmp/in" >"$tmp/said" && diff "$tmp/said" - <<-END
		changed  deb libssl3 amd64 3.0.11-1 -> 3.0.13-1
		changed  deb openssl amd64 3.0.11-1 -> 3.0.13-1  fixes CVE-2024-0727 CVE-2023-5678 CVE-2023-5363
		synthetic 1.1: not tested, may be deployed: $tmp/new/synthetic-1.1.raw
	END
}
check "what is newer, and what it fixes" newer
check "the new image is whole" "$mkappliance" verify "$tmp/new/synthetic-1.1.raw" --quiet
check "sbom says the same" diff <("$mkappliance" sbom "$old" "$tmp/new/synthetic-1.1.raw") <(sed -n 's/  fixes.*//; /^changed/p' "$tmp/said")
as_json() {
	refresh --version 1.2 --no-test "$tmp/in" --json >"$tmp/json" && python3 - "$tmp/json" <<-'PY'
		import json, sys
		d = json.load(open(sys.argv[1]))
		assert (d["from"], d["to"], d["newer"], d["tested"]) == ("1.0", "1.2", True, False), d
		assert d["changes"][1]["cves"] == ["CVE-2024-0727", "CVE-2023-5678", "CVE-2023-5363"], d
	PY
}
check "--json" as_json

check "the old version again" fails_with 2 "version 1.0 is the old image's" refresh "$tmp/in"
check "without its manifest" fails_with 2 "--manifest=FILE" "$mkappliance" rebuild --refresh "$tmp/in"
check "--offline" fails_with 2 "not with --offline" refresh --offline "$tmp/in"
check "--version without --refresh" fails_with 2 "go with --refresh" "$mkappliance" rebuild --manifest "$old" --version 2 "$tmp/in"
of_another() {
	sed 's/^Name=.*/Name=other/' "$tmp/in/appliance.conf" >"$tmp/in/other.conf" &&
		fails_with 2 "is of 'synthetic', the template of 'other'" refresh --version 1.3 "$tmp/in/other.conf"
}
check "the manifest of another appliance" of_another
if [ ! -r /usr/share/OVMF/OVMF_CODE_4M.fd ] || ! command -v qemu-system-x86_64 >/dev/null; then
	check_skip "tests of the new image: 3 checks" "no qemu or no firmware"
	exit
fi

# ---- the test before the offer ----

# The kernel of these inputs is none.
check "an image that does not start is not offered" fails_with 1 "synthetic-1.4.raw: built, but not to be deployed" refresh --version 1.4 "$tmp/in"

# A real one: its kernel was another version once.
mkdir "$tmp/hello"
check "build templates/hello" "$mkappliance" build templates/hello -o "$tmp/hello" --quiet
offered() {
	python3 - "$tmp/hello/hello-1.0.0.manifest.json" <<-'PY' || return
		import json, sys
		m = json.load(open(sys.argv[1]))
		[p] = [p for p in m["packages"] if p["name"].startswith("linux-image")]
		p["version"] = "6.1.1-1"
		json.dump(m, open(sys.argv[1], "w"))
	PY
	"$mkappliance" rebuild --refresh --manifest "$tmp/hello/hello-1.0.0.manifest.json" --version 1.0.1 -o "$tmp/hello" templates/hello >"$tmp/said" &&
		[ "$(grep -c "^changed  deb linux-image-.* 6.1.1-1 -> 6.1" "$tmp/said")" = 1 ] &&
		grep -qx "hello 1.0.1: tested, may be deployed: $tmp/hello/hello-1.0.1.raw" "$tmp/said"
}
check "one that answers its probes is, and was built once" offered
