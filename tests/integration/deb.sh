#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# .debs on Source=debian: made here from a program of our own, with dependencies, scripts, a user and a unit; installed by apt on the
# cached base; started by Unit= in a virtual machine. And each way in which that cannot be done.
# shellcheck disable=SC2016,SC2119,SC2120 # for the inner shell; called through check
. "$(dirname "$0")/functions.sh"
requires_sandbox
requires python3
requires mmdebstrap
requires dpkg-deb dpkg
requires gcc
requires debugfs e2fsprogs
[ -e /usr/include/jansson.h ] || skip "no jansson.h (apt-get install libjansson-dev)"

. tests/integration/own_cache.sh
own_cache "base bookworm" "kernel linux-image-cloud-amd64"
forget() { # WHAT: removes the layers of that name
	grep -ls "\"what\": \"$1\"" "$XDG_CACHE_HOME"/mkappliance/layers/*.json | while read -r f; do rm -f "$f" "${f%.json}.tar"; done
}

# deb NAME VERSION DEPENDS: builds $tmp/NAME.deb of the tree $tmp/p/NAME.
deb() {
	mkdir -p "$tmp/p/$1/DEBIAN" &&
		printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: T <t@example.org>\n%sDescription: of a test\n' \
			"$1" "$2" "${arch:-amd64}" "${3:+Depends: $3
}" >"$tmp/p/$1/DEBIAN/control" &&
		SOURCE_DATE_EPOCH=1 dpkg-deb --root-owner-group -b "$tmp/p/$1" "$tmp/$1.deb" >/dev/null
}

# A server that answers with what ExecStartPre= and the environment gave it, through a library of the distribution.
make_app() {
	cat >"$tmp/app.c" <<'C'
#include <arpa/inet.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void line(json_t *o, const char *key, const char *path)
{
	char text[100] = "";
	FILE *f = fopen(path, "r");

	if (f && fgets(text, sizeof(text), f))
		text[strcspn(text, "\n")] = 0;
	json_object_set_new(o, key, json_string(text));
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "0"))};
	int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);
	json_t *o = json_object();
	char cwd[100], state[100], *text;

	signal(SIGPIPE, SIG_IGN);
	json_object_set_new(o, "uid", json_integer(getuid()));
	json_object_set_new(o, "greeting", json_string(argc > 2 ? argv[2] : ""));
	json_object_set_new(o, "cwd", json_string(getcwd(cwd, sizeof(cwd))));
	line(o, "before", "/run/mka-app/before");
	line(o, "data", "/usr/share/mka-data/text");
	snprintf(state, sizeof(state), "%s/x", getenv("STATE_DIRECTORY"));
	json_object_set_new(o, "state", json_integer(fclose(fopen(state, "w"))));
	text = json_dumps(o, JSON_SORT_KEYS);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 5) < 0)
		return 1;
	for (;;) {
		int c = accept(s, NULL, NULL);
		char in[4096];

		if (read(c, in, sizeof(in)) > 0)
			dprintf(c, "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n%s\n", strlen(text) + 1, text);
		close(c);
	}
}
C
	mkdir -p "$tmp"/p/mka-app/{DEBIAN,usr/bin,lib/systemd/system,etc/default,srv/mka} "$tmp/p/mka-data/usr/share/mka-data" &&
		gcc -O2 -o "$tmp/p/mka-app/usr/bin/mka-app" "$tmp/app.c" -ljansson || return
	echo 'ARGS="8080 hello"' >"$tmp/p/mka-app/etc/default/mka-app"
	cat >"$tmp/p/mka-app/lib/systemd/system/mka-app.service" <<-'END'
		[Unit]
		Description=answers
		After=network-online.target

		[Service]
		Type=notify
		User=mka-app
		EnvironmentFile=-/etc/default/mka-app
		Environment=NAME=%p
		RuntimeDirectory=mka-app
		StateDirectory=mka-app
		WorkingDirectory=/srv/mka
		ExecStartPre=/bin/sh -c 'echo from-$$(id -un)-$$NAME >/run/mka-app/before'
		ExecStartPre=+-/bin/false
		ExecStart=/usr/bin/mka-app $ARGS
		Restart=always
		PrivateDevices=yes

		[Install]
		WantedBy=multi-user.target
	END
	cat >"$tmp/p/mka-app/DEBIAN/postinst" <<-'END'
		#!/bin/sh
		set -e
		useradd --system --home-dir /srv/mka --shell /usr/sbin/nologin mka-app
		deb-systemd-helper enable mka-app.service
		# Nothing starts while an image is built.
		invoke-rc.d mka-app start
		mkdir -p /etc/ssh && echo secret >/etc/ssh/ssh_host_ed25519_key && echo kept >/etc/ssh/sshd_config
		# The same on every machine that builds.
		uname -n >/srv/name
	END
	chmod 755 "$tmp/p/mka-app/DEBIAN/postinst"
	mkdir -p "$tmp/p/mka-app/etc/init.d" && printf '#!/bin/sh\ntouch /started\n' >"$tmp/p/mka-app/etc/init.d/mka-app" && chmod 755 "$tmp/p/mka-app/etc/init.d/mka-app" || return
	echo /etc/default/mka-app >"$tmp/p/mka-app/DEBIAN/conffiles"
	echo from-the-other-package >"$tmp/p/mka-data/usr/share/mka-data/text"
	deb mka-data 1.0 "mka-app (>= 1)" && deb mka-app 1.0 "libc6, libjansson4, init-system-helpers, mka-data (= 1.0)"
}

# template NAME LINE...: $tmp/NAME.conf with these packages and lines.
template() {
	local name=$1
	shift
	printf '[Appliance]\nName=deb\nVersion=1.0\n[Base]\nSource=debian\nSuite=bookworm\n[Kernel]\nPackage=linux-image-cloud-amd64\nCommandLine=console=ttyS0\n' >"$tmp/$name.conf"
	printf '%s\n' "$@" >>"$tmp/$name.conf"
}
start=('[Init]' Unit=mka-app.service 'Ready=http://:8080/' '[Test]'
	'Get=http://:8080/ 200 "\"before\": \"from-mka-app-mka-app\", \"cwd\": \"/srv/mka\", \"data\": \"from-the-other-package\", \"greeting\": \"hello\", \"state\": 0"')
build() { # NAME [OPTION...]
	local name=$1
	shift
	"$mkappliance" build "$tmp/$name.conf" -o "$tmp/out" "$@" 2>"$tmp/log" >/dev/null || { tail -n 30 "$tmp/log"; return 1; }
}
root_hash() { json_get "$tmp/out/deb-1.0.manifest.json" verity.root_hash; }

check "packages are made" make_app || exit
template app '[Package]' Path=mka-app.deb Path=mka-data.deb "${start[@]}"
if ! build app >"$tmp/said"; then
	if grep -qE 'Unable to connect|Could not resolve|Temporary failure|Failed to fetch|Connection' "$tmp/log"; then
		skip "Debian cannot be fetched here: $(tail -n 1 "$tmp/log")"
	fi
	echo "not ok packages that need one another, and a library, are installed"
	sed 's/^/    /' "$tmp/said"
	exit 1
fi
echo "ok packages that need one another, and a library, are installed"
first=$(root_hash)

take_root() {
	python3 -c '
import json, shutil, sys
m = json.load(open(sys.argv[1])); p = [p for p in m["disk"]["partitions"] if p["name"] == "root"][0]
with open(sys.argv[2], "rb") as i, open(sys.argv[3], "wb") as o:
    i.seek(p["offset"]); left = p["used"]
    while left: left -= o.write(i.read(min(left, 1 << 20)))' "$tmp/out/deb-1.0.manifest.json" "$tmp/out/deb-1.0.raw" "$tmp/root"
}
cat_root() { debugfs -R "cat $1" "$tmp/root" 2>/dev/null; }
stat_root() { debugfs -R "stat $1" "$tmp/root" 2>&1; }
no_traces() {
	local f
	for f in /usr/sbin/policy-rc.d /var/log/dpkg.log /var/log/apt/history.log /var/cache/ldconfig/aux-cache /var/lib/dpkg/status-old /tmp/mkappliance /started /etc/ssh/ssh_host_ed25519_key; do
		stat_root "$f" | grep -q 'File not found' || { echo "$f is there"; return 1; }
	done
	[ -z "$(cat_root /etc/resolv.conf)" ] && [ "$(cat_root /etc/ssh/sshd_config)" = kept ] && [ "$(cat_root /srv/name)" = localhost ]
}
database() {
	cat_root /var/lib/dpkg/status >"$tmp/status" && mkdir -p "$tmp/db/updates" && cp "$tmp/status" "$tmp/db/status" && : >"$tmp/db/available" &&
		dpkg-query --admindir="$tmp/db" -W -f '${Package} ${db:Status-Status}\n' mka-app mka-data libjansson4 >"$tmp/installed" &&
		[ "$(grep -c ' installed$' "$tmp/installed")" -eq 3 ] && cat_root /etc/passwd | grep -q '^mka-app:'
}
listed() {
	python3 - "$tmp/out/deb-1.0.manifest.json" "$tmp/mka-app.deb" <<-'END'
		import hashlib, json, sys
		packages = {p["name"]: p for p in json.load(open(sys.argv[1]))["packages"]}
		digest = hashlib.sha256(open(sys.argv[2], "rb").read()).hexdigest()
		assert packages["mka-app"]["sha256"] == digest, packages["mka-app"]
		library = packages["libjansson4"]
		assert len(library["sha256"]) == 64 and library["repository"].endswith(".deb"), library
	END
}
check "root is taken out" take_root
check "nothing of the installation is left" no_traces
check "dpkg's database has them, the script made the user" database
check "the script enabled the unit" eval "stat_root /etc/systemd/system/multi-user.target.wants/mka-app.service | grep -q 'Type: symlink'"
check "the manifest has where they come from" listed

again() {
	forget '[0-9]* packages' && build app --offline && [ "$(root_hash)" = "$first" ]
}
check "again: the same bytes, without a network" again
changed() {
	local began=$EPOCHREALTIME
	echo changed >"$tmp/p/mka-data/usr/share/mka-data/new" && deb mka-data 1.0 "mka-app (>= 1)" && build app --offline &&
		[ "$(root_hash)" != "$first" ] && echo "# after a change of a .deb alone: $(python3 -c "print('%.2f s' % ($EPOCHREALTIME - $began))")" >&3
}
exec 3>&1
check "a .deb that changed needs no network" changed

if [ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] && command -v qemu-system-x86_64 >/dev/null; then
	check "starts by its unit, with its user, environment and directories" "$mkappliance" test "$tmp/out/deb-1.0.raw" --quiet
else
	check_skip "starts by its unit" "no qemu or no UEFI firmware (apt-get install qemu-system-x86 ovmf)"
fi

# ---- what is refused ----

# refuses CODE TEXT LINE...
refuses() {
	local code=$1 text=$2
	shift 2
	template bad "$@"
	fails_with "$code" "$text" "$mkappliance" build "$tmp/bad.conf" -o "$tmp/out"
}
exec=('[Init]' Exec=/bin/true)
one() { printf '[Package]\nPath=%s.deb\n' "$1"; }

mkdir -p "$tmp"/p/mka-{bad,post,file,arm,gone,after}
check "missing dependency is named, and who needs it" eval 'deb mka-bad 1 "no-such-package (>= 2)" &&
	refuses 1 "mka-bad: Depends: no-such-package (>= 2) but it is not installable" "$(one mka-bad)" "${exec[@]}"'
failing_script() {
	mkdir -p "$tmp/p/mka-post/DEBIAN" && printf '#!/bin/sh\necho this is what went wrong\necho on the other side >&2\nexit 3\n' >"$tmp/p/mka-post/DEBIAN/postinst" &&
		chmod 755 "$tmp/p/mka-post/DEBIAN/postinst" && deb mka-post 1 "" &&
		refuses 1 "mka-post" "$(one mka-post)" "${exec[@]}" && "$mkappliance" build "$tmp/bad.conf" -o "$tmp/out" 2>"$tmp/log"
	grep -q '| this is what went wrong' "$tmp/log" && grep -q '| on the other side' "$tmp/log" &&
		grep -q 'mkappliance: .*mka-post (--configure): .*exit status 3' "$tmp/log" && return
	cat "$tmp/log"
	return 1
}
check "script that fails: its output is shown" failing_script
check "file that two packages have" eval 'mkdir -p "$tmp/p/mka-file/bin" && echo x >"$tmp/p/mka-file/bin/bash" && deb mka-file 1 "" &&
	refuses 1 "which is also in package bash" "$(one mka-file)" "${exec[@]}"'
check "package that would remove one of the base" eval 'mkdir -p "$tmp/p/mka-gone/DEBIAN" && deb mka-gone 1 "" &&
	sed -i "/^Maintainer/a Conflicts: tzdata" "$tmp/p/mka-gone/DEBIAN/control" && dpkg-deb -b "$tmp/p/mka-gone" "$tmp/mka-gone.deb" >/dev/null &&
	refuses 1 "conflicts with what the base has: tzdata would have to be removed" "$(one mka-gone)" "${exec[@]}"'
check "alternatives of which there is none" eval 'deb mka-bad 1 "no-such-package | nor-this" &&
	refuses 1 "mka-bad: Depends: no-such-package but it is not installable or nor-this but it is not installable" "$(one mka-bad)" "${exec[@]}"'
check "two versions of one package" eval 'cp "$tmp/mka-bad.deb" "$tmp/mka-old.deb" && deb mka-bad 2 "" &&
	refuses 2 "mka-bad.deb: is the package mka-bad, as" "$(one mka-old)" Path=mka-bad.deb "${exec[@]}"'
check "package of another architecture" eval 'arch=arm64 deb mka-arm 1 "" && refuses 2 "is for arm64, the appliance is amd64" "$(one mka-arm)" "${exec[@]}"'
check "package that is cut" eval 'head -c 3000 "$tmp/mka-app.deb" >"$tmp/mka-cut.deb" && refuses 1 "mka-cut.deb" "$(one mka-cut)" "${exec[@]}"'
seconds=986.$$ # which nobody else sleeps
sleeps() { pgrep -f "^sleep $seconds\$" >/dev/null; }
gone() { ! sleeps; }
killed() {
	local pid
	mkdir -p "$tmp/p/mka-slow/DEBIAN" && printf '#!/bin/sh\nexec sleep %s\n' $seconds >"$tmp/p/mka-slow/DEBIAN/postinst" && chmod 755 "$tmp/p/mka-slow/DEBIAN/postinst" &&
		deb mka-slow 1 "" && template slow "$(one mka-slow)" "${exec[@]}" || return
	"$mkappliance" build "$tmp/slow.conf" -o "$tmp/out" --quiet &
	pid=$!
	comes sleeps
	kill -9 $pid
	wait $pid 2>/dev/null
	# What it left goes with the next build that installs something.
	comes gone && ! grep -qF "$tmp" /proc/self/mounts && deb mka-after 1 "" && template after "$(one mka-after)" "${exec[@]}" && build after
}
check "killed in the middle of a script: no process, no mount" killed
check "nothing is mounted and nobody runs behind them" eval '! grep -qF "$tmp" /proc/self/mounts && [ -z "$(ls "$XDG_CACHE_HOME/mkappliance/work" 2>/dev/null)" ]'

# A unit of Debian's own that the init cannot start, and what the message says to do.
nginx() {
	refuses 2 "nginx.service:20: Type=forking: the program goes into the background" '[Base]' Packages=nginx-light "[Init]" Unit=nginx.service
}
check "a unit that the init cannot start" nginx
