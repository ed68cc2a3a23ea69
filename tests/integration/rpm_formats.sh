#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Source=rpm where the root's own rpm keeps its database in another format than sqlite: Berkeley DB, by rpm 4.16 of Debian 11, and ndb, as
# openSUSE has it, by rpm 4.20 of Debian 13. What we write that rpm reads, and what it has is read for the manifest and added to.
. "$(dirname "$0")/functions.sh"
requires mmdebstrap
requires debugfs e2fsprogs
[ "$(id -u)" -eq 0 ] || skip "the rpm in the image is run by root"
. tests/integration/rpm_repository.sh
export XDG_CACHE_HOME=$tmp/cache

# own_rpm NAME SUITE PATH BACKEND: the rpm of a Debian as a package of the small distribution, with its own libraries and macros.
own_rpm() {
	local name=$1 other=$tmp/$2 program into=$tmp/$1.files/opt/rpm bin=$tmp/$1.files/usr/bin
	mkdir -p "$into/bin" "$into/lib" "$bin" && cp -r "$other/usr/lib/rpm" "$into/rpm" && cp -L "$other"/usr/lib/x86_64-linux-gnu/*.so* "$into/lib/" &&
		cp "$other"/usr/bin/{rpm,rpmdb} "$into/bin/" && mkdir -p "$into/rpm/macros.d" &&
		printf '%%_dbpath %s\n%%_db_backend %s\n' "$3" "$4" >"$into/rpm/macros.d/macros.own" || return
	for program in rpm rpmdb; do
		printf '#!/usr/bin/bash\nRPM_CONFIGDIR=/opt/rpm/rpm exec /opt/rpm/lib/ld-linux-x86-64.so.2 --library-path /opt/rpm/lib /opt/rpm/bin/%s "$@"\n' $program >"$bin/$program" &&
			chmod 755 "$bin/$program" || return
	done
	rpm_of "$name" 'AutoReqProv: no' 'Requires: bash' '%define _binary_payload w1.gzdio' '%define __os_install_post %{nil}' '%description' t '%install' \
		"cp -r $tmp/$name.files/. %{buildroot}/" '%files' /opt/rpm /usr/bin/rpm /usr/bin/rpmdb
}
# fetched SUITE
fetched() {
	mmdebstrap --quiet --variant=extract --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include=rpm "$1" "$tmp/$1" >"$tmp/log" 2>&1 ||
		skip "rpm of $1 cannot be fetched: $(tail -n 1 "$tmp/log")"
}
fetched bullseye
fetched trixie
repository() {
	own_rpm bdb-rpm bullseye /var/lib/rpm bdb && own_rpm ndb-rpm trixie /usr/lib/sysimage/rpm ndb && mkdir "$tmp/repository" &&
		cp "$distribution"/repository/{filesystem,setup,glibc,base-libs,bash,coreutils,kernel-core}-*.rpm "$tmp"/{bdb,ndb}-rpm-1-1.x86_64.rpm "$tmp/repository/" &&
		createrepo_c --quiet "$tmp/repository"
}
check "rpm 4.16 and 4.20 as packages" repository || exit
simple app app 'Requires: coreutils' 'Epoch: 3' 'Vendor: Someone'

build() { within 400 "$mkappliance" build "$tmp/app.conf" -o "$tmp/out" --quiet "$@"; }
# What the database of a tree says: the fields that only it knows are of every package.
listed() {
	python3 - "$tmp/out/app-1.manifest.json" "$1" <<-'PY'
		import json, sys
		p = json.load(open(sys.argv[1]))["packages"]
		assert [x["name"] for x in p] == sys.argv[2].split(), p
		assert all(x["license"] and x["source"] and len(x["sha256"]) == 64 for x in p), p
		app = p[0]
		assert (app["version"], app["arch"], app["source"], app["vendor"]) == ("3:1-1", "x86_64", "app 1-1", "Someone"), app
	PY
}
spdx() { [ "$(grep -c '"referenceLocator": "pkg:rpm/' "$tmp/out/app-1.spdx.json")" -eq "$(wc -w <<<"$all")" ]; }
again() { cp --sparse=always "$tmp/out/app-1.raw" "$tmp/first" && build --refresh --locked "$tmp/out/app-1.manifest.json" && same_bytes "$tmp/first" "$tmp/out/app-1.raw"; }
own() {
	in_root /usr/bin/rpm -qa --qf '%{NAME}\n' | sort | tr '\n' ' ' >"$tmp/own" && cat "$tmp/own" && [ "$(cat "$tmp/own")" = "$all " ] || return
	# Nothing but the time of what has been clamped.
	in_root /usr/bin/rpm -V app bash | grep -vE '^\.\.\.\.\.\.\.T\.' >"$tmp/own"
	cat "$tmp/own" && [ ! -s "$tmp/own" ]
}
# clean PATH FILE TYPE NONE: the database is what it should be, and nothing else lies beside it.
clean() {
	debugfs -R "ls -p $1" "$tmp/app.root" 2>/dev/null >"$tmp/files.list" && cat "$tmp/files.list" && grep -q "/$2/" "$tmp/files.list" &&
		! grep -qE "$4" "$tmp/files.list" && debugfs -R "dump $1/$2 $tmp/$2" "$tmp/app.root" 2>/dev/null && file -b "$tmp/$2" && { file -b "$tmp/$2" | grep -q "$3" || [ "$(head -c 4 "$tmp/$2")" = "$3" ]; }
}
# format NAME PATH FILE TYPE NONE
format() {
	local name=$1 all
	all=$(printf '%s\n' app base-libs bash coreutils filesystem glibc kernel-core setup "$name-rpm" | sort | tr '\n' ' ')
	all=${all% }
	cat >"$tmp/app.conf" <<-END
		[Appliance]
		Name=app
		Version=1
		[Base]
		Source=rpm
		Release=9
		Repository=small $tmp/repository gpgcheck=no
		Packages=bash kernel-core $name-rpm
		[Init]
		Mode=system
		Init=/usr/bin/bash
		[Package]
		Path=app-1-1.x86_64.rpm
	END
	check "$name: a base, and an application on it" build || return
	check "$name: the manifest has the packages of that database" listed "$all"
	check "$name: so has the .spdx.json" spdx
	root_of app
	check "$name: it is of that format, and nothing else lies there" clean "${@:2}"
	if in_root /usr/bin/true 2>"$tmp/log"; then
		check "$name: its own rpm reads it, and finds every file as it should be" own
	else
		check_skip "$name: its own rpm reads it" "its root cannot be mounted here: $(tail -n 1 "$tmp/log")"
	fi
}
format bdb /var/lib/rpm Packages 'Berkeley DB' 'sqlite|__db'
format ndb /usr/lib/sysimage/rpm Packages.db RpmP 'sqlite|rpm.lock'
check "ndb: once more from nothing, locked: the same bytes" again
check "ndb: verify" "$mkappliance" verify "$tmp/out/app-1.raw" --quiet
