#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What an image was made of: packages of every database in its root, the bill of materials by the validator of SPDX, and builds that are
# locked to a manifest.
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3

# scripts/setup puts the validator there.
validator=build/oracles/bin/pyspdxtools

synthetic_inputs "$tmp/in"
base=$tmp/in/base
mkdir -p "$base/var/lib/dpkg/status.d" "$base/usr/share/doc/bash" "$base/lib/apk/db"
cat >"$base/etc/os-release" <<-'END'
	NAME="A Distribution"
	ID=example
	VERSION_ID="7.1"
END
cat >"$base/var/lib/dpkg/status" <<-'END'
	Package: bash
	Status: install ok installed
	Maintainer: A Person (the one) <person@example.org>
	Architecture: amd64
	Version: 1:5.2.15-2+b13
	Source: bash (5.2.15-2)

	Package: gone
	Status: deinstall ok config-files
	Architecture: all
	Version: 1
END
printf 'Package: tzdata\nVersion: 2024a-0+deb12u1\nArchitecture: all\n' >"$base/var/lib/dpkg/status.d/tzdata"
printf 'Format: x\n\nFiles: *\nLicense: GPL-3+\n\nFiles: lib/*\nLicense: public-domain or Expat\n' >"$base/usr/share/doc/bash/copyright"
printf 'P:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\no:musl\nm:A Maintainer <m@example.org>\n\n' >"$base/lib/apk/db/installed"

# ---- rpm's database, by rpm itself ----

rpm_database() {
	cat >"$tmp/tiny.spec" <<-'END'
		Name: tiny
		Epoch: 2
		Version: 1.2
		Release: 3
		Summary: a package
		License: MIT and GPLv2+ and Public Domain
		Vendor: A Vendor
		BuildArch: noarch
		%description
		A package.
		%install
		mkdir -p %{buildroot}/usr/share/tiny
		echo a >%{buildroot}/usr/share/tiny/a
		%files
		/usr/share/tiny
	END
	rpmbuild --quiet -bb --define "_topdir $tmp/rpmbuild" "$tmp/tiny.spec" &&
		rpm --root "$base" --dbpath /var/lib/rpm --nodeps --noscripts -i "$tmp"/rpmbuild/RPMS/noarch/tiny-*.rpm
}
have_rpm=
if command -v rpmbuild >/dev/null && [ "$(id -u)" -eq 0 ]; then
	check "rpm makes a database" rpm_database && have_rpm=1
else
	check_skip "rpm's database: 3 checks" "rpmbuild is not installed (apt-get install rpm), or this is not root"
fi

check "build" synthetic_build "$tmp/in" "$tmp/out" || exit
manifest=$tmp/out/synthetic-1.0.manifest.json
spdx=$tmp/out/synthetic-1.0.spdx.json

# ---- the manifest ----

packages_as_installed() {
	HAVE_RPM=$have_rpm python3 - "$manifest" <<-'PY'
		import json, os, sys
		m = json.load(open(sys.argv[1]))
		want = [
		    {"type": "deb", "name": "bash", "version": "1:5.2.15-2+b13", "arch": "amd64", "source": "bash 5.2.15-2",
		     "license": "GPL-3+ AND (public-domain or Expat)", "vendor": "A Person (the one) <person@example.org>"},
		    {"type": "apk", "name": "musl", "version": "1.2.4-r2", "arch": "x86_64", "source": "musl 1.2.4-r2", "license": "MIT",
		     "vendor": "A Maintainer <m@example.org>"},
		]
		if os.environ["HAVE_RPM"]:
		    want.append({"type": "rpm", "name": "tiny", "version": "2:1.2-3", "arch": "noarch", "source": "tiny 1.2-3",
		                 "license": "MIT and GPLv2+ and Public Domain", "vendor": "A Vendor"})
		want.append({"type": "deb", "name": "tzdata", "version": "2024a-0+deb12u1", "arch": "all", "source": "tzdata 2024a-0+deb12u1"})
		assert m["packages"] == want, m["packages"]
		assert (m["root"]["os"], m["root"]["os_version"]) == ("example", "7.1"), m["root"]
		assert [i["kind"] for i in m["inputs"]] == ["template", "base", "kernel", "kernel", "file", "init", "stub"], m["inputs"]
	PY
}
check "the manifest has the packages of every database" packages_as_installed

without_rpm() {
	# The builder runs nothing else.
	fails_with 1 "apt-get install rpm" env PATH=/nonexistent MKAPPLIANCE_INIT="$tmp/in/init" "$mkappliance" build "$tmp/in" -o "$tmp/none" &&
		[ ! -e "$tmp/none/synthetic-1.0.raw" ]
}
[ -z "$have_rpm" ] || check "no rpm to read the database with" without_rpm

broken_rpm() {
	cp -a "$tmp/in" "$tmp/broken" && printf 'not a database, not at all' >"$tmp/broken/base/var/lib/rpm/rpmdb.sqlite" &&
		rm -f "$tmp/broken/base/var/lib/rpm/"*-wal "$tmp/broken/base/var/lib/rpm/"*-shm &&
		fails_with 1 "the rpm database in /var/lib/rpm" synthetic_build "$tmp/broken" "$tmp/none"
}
[ -z "$have_rpm" ] || check "an rpm database that is broken" broken_rpm

# ---- SPDX ----

spdx_says() {
	HAVE_RPM=$have_rpm python3 - "$spdx" "$manifest" <<-'PY'
		import json, os, sys
		d, m = (json.load(open(f)) for f in sys.argv[1:])
		p = {x["SPDXID"]: x for x in d["packages"]}
		purl = {x["name"]: x["externalRefs"][0]["referenceLocator"] for x in d["packages"]}
		assert d["creationInfo"]["created"] == "2020-09-13T12:26:40Z", d["creationInfo"]
		assert purl["bash"] == "pkg:deb/example/bash@1:5.2.15-2%2Bb13?arch=amd64&distro=example-7.1", purl
		assert purl["musl"] == "pkg:apk/example/musl@1.2.4-r2?arch=x86_64&distro=example-7.1", purl
		if os.environ["HAVE_RPM"]:
		    assert purl["tiny"] == "pkg:rpm/example/tiny@1.2-3?arch=noarch&distro=example-7.1&epoch=2", purl
		    tiny = next(x for x in d["packages"] if x["name"] == "tiny")
		    assert tiny["licenseDeclared"] == "MIT AND GPL-2.0-or-later AND LicenseRef-Public-Domain", tiny
		bash = next(x for x in d["packages"] if x["name"] == "bash")
		assert bash["licenseDeclared"] == "GPL-3.0-or-later AND (LicenseRef-public-domain OR MIT)", bash
		assert bash["supplier"] == "Organization: A Person the one (person@example.org)", bash
		kinds = {}
		for r in d["relationships"]:
		    kinds.setdefault(r["relationshipType"], []).append(r["relatedSpdxElement"])
		    assert r["spdxElementId"] in p or r["spdxElementId"] == "SPDXRef-DOCUMENT", r
		    assert r["relatedSpdxElement"] in p, r
		assert kinds["DESCRIBES"] == ["SPDXRef-Image"]
		assert len(kinds["GENERATED_FROM"]) == len(m["inputs"]) and len(kinds["CONTAINS"]) == len(m["packages"])
		for i, x in zip(m["inputs"], (p[k] for k in kinds["GENERATED_FROM"])):
		    assert x["checksums"] == [{"algorithm": "SHA256", "checksumValue": i["sha256"]}], x
		assert m["verity"]["root_hash"] in p["SPDXRef-Image"]["comment"]
	PY
}
check "the bill of materials says the same" spdx_says

sees_what_is_wrong() {
	sed 's/"GPL-3.0-or-later AND/"GPL-9 AND/' "$spdx" >"$tmp/wrong.spdx.json" && ! "$validator" -i "$tmp/wrong.spdx.json"
}
if [ -x "$validator" ]; then
	check "SPDX's validator has no complaint" "$validator" -i "$spdx"
	check "SPDX's validator sees a license that does not exist" sees_what_is_wrong
else
	check_skip "SPDX's validator: 2 checks" "spdx-tools is not installed (scripts/setup)"
fi

# ---- locked to a manifest ----

rebuilt_so() {
	local f
	synthetic_build "$tmp/in" "$tmp/locked" --locked "$manifest" || return
	for f in raw manifest.json blocks spdx.json intoto.json; do
		same_bytes "$tmp/out/synthetic-1.0.$f" "$tmp/locked/synthetic-1.0.$f" || return
	done
}
check "locked: the same inputs give the same bytes" rebuilt_so

# refuses TEXT COMMAND...: changes the copy of the inputs by the command; nothing may be written.
refuses() {
	local text=$1
	shift
	rm -rf "$tmp/changed" "$tmp/none" && cp -a "$tmp/in" "$tmp/changed" && (cd "$tmp/changed" && "$@") || return
	fails_with 3 "$text" env MKAPPLIANCE_INIT="$tmp/changed/init" "$mkappliance" build "$tmp/changed" -o "$tmp/none" --locked "$manifest" &&
		[ -z "$(ls -A "$tmp/none" 2>/dev/null)" ]
}
append() { echo "$2" >>"$1"; }
keep_size() { printf 'P' | dd of="$1" bs=1 seek=700000 conv=notrunc status=none && touch -d @1600000000 "$1"; }
check "locked: another template" refuses "input template 'appliance.conf' has the SHA-256" append appliance.conf "# a comment"
check "locked: another command line" refuses "command line is 'loglevel=4 console=ttyS1" sed -i s/ttyS0/ttyS1/ appliance.conf
check "locked: the template is another, too" refuses "' (and 1 more)" sed -i s/ttyS0/ttyS1/ appliance.conf
check "locked: another file" refuses "input file 'page' has the SHA-256" append page more
check "locked: another kernel" refuses "input kernel 'vmlinuz' has the SHA-256" append vmlinuz more
check "locked: another init" refuses "input init 'mkappliance-init' has the SHA-256" append init more
check "locked: another stub" refuses "input stub 'stub.efi' has the SHA-256" append stub.efi more
check "locked: another version of a package" refuses "package bash (amd64) is version 1:5.2.16, the manifest says 1:5.2.15-2+b13" \
	sed -i 's/^Version: 1:5.2.15.*/Version: 1:5.2.16/' base/var/lib/dpkg/status
check "locked: a package that is gone" refuses "package tzdata 2024a-0+deb12u1 (all) of the manifest is not there" \
	rm base/var/lib/dpkg/status.d/tzdata
check "locked: one package more" refuses "package extra 1 (noarch) is not in the manifest" \
	append base/lib/apk/db/installed $'P:extra\nV:1'
check "locked: a file of the base that was resized" refuses "input base 'base' has the SHA-256" append base/usr/bin/application more
check "locked: a byte in a file of the base" refuses "partition 'root' differs, first in /usr/bin/application" \
	keep_size base/usr/bin/application
check "locked: another version" fails_with 3 "the version is '2.0', the manifest says '1.0'" \
	synthetic_build "$tmp/in" "$tmp/none" --locked "$manifest" --version 2.0
check "locked: no manifest at all" fails_with 3 "appliance.conf" synthetic_build "$tmp/in" "$tmp/none" --locked "$tmp/in/appliance.conf"
