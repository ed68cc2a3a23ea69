#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Source=rpm where microdnf is the only solver: Debian has none, so this runs where somebody has installed it. The packages are those
# that dnf 4 gives, and its refusals read like dnf's.
. "$(dirname "$0")/functions.sh"
command -v microdnf >/dev/null || skip "microdnf is not installed (Debian has no package of it)"
[ "$(id -u)" -eq 0 ] || skip "needs root, to hide the other solvers"
. tests/integration/rpm_repository.sh
serve "$distribution/repository"

# only_microdnf COMMAND...: where there is no other.
only_microdnf() {
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m bash -euc 'for p in dnf dnf5; do ! p=$(command -v $p) || mount --bind /dev/null "$(realpath "$p")"; done; exec "$@"' - "$@"
}
# build NAME OUT [OPTION...]
build() { within 400 only_microdnf "$mkappliance" build "$tmp/$1.conf" -o "$tmp/$2" --cache="$tmp/cache" --quiet "${@:3}"; }
# refused CODE TEXT LINE...
refused() {
	local code=$1 text=$2
	shift 2
	conf bad "$@" && fails_with "$code" "$text" build bad out
}

for kind in http directory; do
	from=$url
	[ $kind = http ] || from=$distribution/repository
	repository="small $from gpgkey=$distribution/key.asc" conf app "Path=$(echo "$distribution"/hello-*.rpm)" "GPGKey=$distribution/key.asc"
	check "an application on its base, a repository: $kind" build app out || exit
	same_manifest() { "$mkappliance" build "$tmp/app.conf" -o "$tmp/dnf" --cache="$tmp/cache-dnf" --quiet && python3 -c 'import json, sys; a, b = (json.load(open(f))["packages"] for f in sys.argv[1:]); assert a == b and len(a) == 10, [x for x in a if x not in b]' "$tmp"/{out,dnf}/app-1.manifest.json; }
	check "the packages, and where each came from, are what dnf says" same_manifest
done
locked() { build app locked --refresh --locked "$tmp/out/app-1.manifest.json" && same_bytes "$tmp/out/app-1.raw" "$tmp/locked/app-1.raw"; }
check "locked, where one was killed before: the same bytes" locked

simple unsigned unsigned
check "an unsigned package where a key is named" refused 3 'unsigned-1-1.x86_64.rpm: is not signed' "Path=$tmp/unsigned-1-1.x86_64.rpm" "GPGKey=$distribution/key.asc"
simple missing missing 'Requires: libnowhere.so.7'
check "a dependency that nobody has, and who needs it" refused 1 'microdnf: nothing provides libnowhere.so.7 needed by missing-1-1.x86_64' "Path=$tmp/missing-1-1.x86_64.rpm"
simple left same && simple right same
check "two packages with the same file" refused 1 '/opt/same' "Path=$tmp/left-1-1.x86_64.rpm" "Path=$tmp/right-1-1.x86_64.rpm"
more=nosuchpackage check "a package that is nowhere" refused 1 "microdnf: No package matches 'nosuchpackage'"
