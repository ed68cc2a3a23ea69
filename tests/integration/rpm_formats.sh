#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Source=rpm where the root's own rpm keeps its database in another format than sqlite: Berkeley DB, by rpm 4.16 of Debian 11. What we
# write that rpm reads, and what it has is read for the manifest and added to.
. "$(dirname "$0")/functions.sh"
requires mmdebstrap
requires debugfs e2fsprogs
[ "$(id -u)" -eq 0 ] || skip "the rpm in the image is run by root"
. tests/integration/rpm_repository.sh
export XDG_CACHE_HOME=$tmp/cache
other=$tmp/other
mmdebstrap --quiet --variant=extract --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include=rpm bullseye "$other" >"$tmp/log" 2>&1 ||
	skip "rpm of Debian 11 cannot be fetched: $(tail -n 1 "$tmp/log")"

# That rpm as a package of the small distribution, with its own libraries and macros.
old_rpm() {
	local program into=$tmp/files/opt/rpm
	mkdir -p "$into/bin" "$into/lib" "$tmp/files/usr/bin" && cp -r "$other/usr/lib/rpm" "$into/rpm" && cp -L "$other"/usr/lib/x86_64-linux-gnu/*.so* "$into/lib/" &&
		cp "$other"/usr/bin/{rpm,rpmdb} "$into/bin/" && mkdir -p "$into/rpm/macros.d" &&
		printf '%%_dbpath /var/lib/rpm\n%%_db_backend bdb\n' >"$into/rpm/macros.d/macros.old" || return
	for program in rpm rpmdb; do
		printf '#!/usr/bin/bash\nRPM_CONFIGDIR=/opt/rpm/rpm exec /opt/rpm/lib/ld-linux-x86-64.so.2 --library-path /opt/rpm/lib /opt/rpm/bin/%s "$@"\n' $program >"$tmp/files/usr/bin/$program" &&
			chmod 755 "$tmp/files/usr/bin/$program" || return
	done
	rpm_of old-rpm 'AutoReqProv: no' 'Requires: bash' '%define _binary_payload w1.gzdio' '%define __os_install_post %{nil}' '%description' t '%install' \
		"cp -r $tmp/files/. %{buildroot}/" '%files' /opt/rpm /usr/bin/rpm /usr/bin/rpmdb &&
		mkdir "$tmp/repository" && cp "$distribution"/repository/{filesystem,setup,glibc,base-libs,bash,coreutils,kernel-core}-*.rpm "$tmp/old-rpm-1-1.x86_64.rpm" "$tmp/repository/" &&
		createrepo_c --quiet "$tmp/repository"
}
check "rpm 4.16 as a package" old_rpm || exit
simple app app 'Requires: coreutils'
cat >"$tmp/app.conf" <<-END
	[Appliance]
	Name=app
	Version=1
	[Base]
	Source=rpm
	Release=9
	Repository=small $tmp/repository gpgcheck=no
	Packages=bash kernel-core old-rpm
	[Init]
	Mode=system
	Init=/usr/bin/bash
	[Package]
	Path=app-1-1.x86_64.rpm
END
check "a base with Berkeley DB, and an application on it" within 400 "$mkappliance" build "$tmp/app.conf" -o "$tmp/out" --quiet || exit
all='app base-libs bash coreutils filesystem glibc kernel-core old-rpm setup '
listed() { [ "$(python3 -c 'import json, sys; print(*sorted(p["name"] for p in json.load(open(sys.argv[1]))["packages"]))' "$tmp/out/app-1.manifest.json") " = "$all" ]; }
check "the manifest has the packages of that database" listed
root_of app
format() {
	debugfs -R 'ls -p /var/lib/rpm' "$tmp/app.root" 2>/dev/null >"$tmp/files.list" && cat "$tmp/files.list" &&
		grep -q /Packages/ "$tmp/files.list" && ! grep -qE 'sqlite|__db' "$tmp/files.list" &&
		debugfs -R "dump /var/lib/rpm/Packages $tmp/Packages" "$tmp/app.root" 2>/dev/null && file -b "$tmp/Packages" && file -b "$tmp/Packages" | grep -q 'Berkeley DB'
}
check "it is Berkeley DB, and nothing else lies there" format
if in_root /usr/bin/true 2>"$tmp/log"; then
	own() {
		in_root /usr/bin/rpm -qa --qf '%{NAME}\n' | sort | tr '\n' ' ' >"$tmp/own" && cat "$tmp/own" && [ "$(cat "$tmp/own")" = "$all" ] || return
		# Nothing but the time of what has been clamped.
		in_root /usr/bin/rpm -V app bash | grep -vE '^\.\.\.\.\.\.\.T\.' >"$tmp/own"
		cat "$tmp/own" && [ ! -s "$tmp/own" ]
	}
	check "its own rpm reads it, and finds every file as it should be" own
else
	check_skip "its own rpm reads it" "its root cannot be mounted here: $(tail -n 1 "$tmp/log")"
fi
