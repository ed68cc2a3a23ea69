#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Repositories besides Debian's: made here, signed, on the disk and over HTTP; and that nothing is taken from one that is not signed, or by
# another key; that --locked finds what has moved on. The rest comes from the archive that the machine's own apt has.
# Takes: 70 s
# shellcheck disable=SC2016,SC2119,SC2120 # for the inner shell; called through check
. "$(dirname "$0")/functions.sh"
requires_sandbox
. tests/integration/archive.sh
. tests/integration/synthetic.sh
requires python3
requires mmdebstrap
requires dpkg-deb dpkg
requires dpkg-scanpackages dpkg-dev
requires gpg
requires debugfs e2fsprogs
mirror=$(debian_archive) || skip "apt of this machine knows no Debian archive"
export XDG_CACHE_HOME=$tmp/cache GNUPGHOME=$tmp/gpg
server=
stop_server() { [ -z "$server" ] || kill "$server" 2>/dev/null; }
at_exit stop_server

deb() { # NAME DEPENDS DIRECTORY [VERSION]
	local version=${4:-1.0}
	mkdir -p "$tmp/p/$1/DEBIAN" "$tmp/p/$1/usr/share/$1" "$3" && echo "$1" >"$tmp/p/$1/usr/share/$1/text" &&
		printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: T <t@example.org>\n%sDescription: t\n' "$1" "$version" "${2:+Depends: $2
}" >"$tmp/p/$1/DEBIAN/control" && dpkg-deb --root-owner-group -b "$tmp/p/$1" "$3/$1_${version}_all.deb" >/dev/null
}
# index ROOT DIST-DIRECTORY COMPONENT-DIRECTORY: Packages of all that lies in ROOT/pool, and the Release of them.
index() {
	mkdir -p "$1/$2/$3" && (cd "$1" && dpkg-scanpackages -m pool >"$2/$3/Packages" 2>/dev/null) && python3 - "$1/$2" "$3" <<-'END'
		import hashlib, sys
		data = open(f"{sys.argv[1]}/{sys.argv[2]}/Packages", "rb").read()
		name = (sys.argv[2] + "/Packages").removeprefix("./")
		open(sys.argv[1] + "/Release", "w").write(
		    "Origin: T\nLabel: T\nSuite: apps\nCodename: apps\nArchitectures: amd64 all\nComponents: main\n"
		    "Date: Thu, 01 Jan 2026 00:00:00 UTC\n"
		    f"SHA256:\n {hashlib.sha256(data).hexdigest()} {len(data)} {name}\n")
	END
}
sign() { gpg --batch --yes --quiet -u "$2" --clearsign -o "$1/InRelease" "$1/Release"; }
make_all() {
	mkdir -m 700 "$GNUPGHOME" && gpg --batch --quiet --passphrase '' --quick-gen-key good@example.org ed25519 sign never 2>/dev/null &&
		gpg --batch --quiet --passphrase '' --quick-gen-key other@example.org ed25519 sign never 2>/dev/null &&
		gpg --batch --export good@example.org >"$tmp/good.gpg" || return
	deb mka-first "" "$tmp/repo/pool" && deb mka-second "mka-first" "$tmp/repo/pool" && index "$tmp/repo" dists/apps main/binary-amd64 &&
		sign "$tmp/repo/dists/apps" good@example.org &&
		deb mka-flat "" "$tmp/flat/pool" && index "$tmp/flat" . . && sign "$tmp/flat" good@example.org &&
		cp -r "$tmp/repo" "$tmp/unsigned" && rm "$tmp/unsigned/dists/apps/InRelease" &&
		cp -r "$tmp/repo" "$tmp/foreign" && sign "$tmp/foreign/dists/apps" other@example.org &&
		deb mka-app "mka-second (>= 1), mka-flat" "$tmp"
}
template() { # LINE...
	printf '[Appliance]\nName=repo\nVersion=1\n[Package]\nPath=mka-app_1.0_all.deb\n[Kernel]\nImage=%s\nModulesDirectory=%s\n[Init]\nExec=/bin/true\n[Base]\nSource=debian\nSuite=bookworm\nMirror=%s\n' \
		"$kernel" "$modules" "$mirror" >"$tmp/t.conf"
	printf '%s\n' "$@" >>"$tmp/t.conf"
}
build() { "$mkappliance" build "$tmp/t.conf" -o "$tmp/out" --quiet "$@"; }
[ -x build/hello ] || skip "build/hello is not built (make)"
kernel=$(find /boot -name 'vmlinuz-*-cloud-amd64' -readable | sort -V | tail -n 1)
[ -n "$kernel" ] || skip "no Debian cloud kernel in /boot (apt-get install linux-image-cloud-amd64)"
modules=/lib/modules/${kernel#/boot/vmlinuz-}

check "repositories are made" make_all || exit
(cd "$tmp/repo" && exec python3 -u -m http.server --bind 127.0.0.1 0) >"$tmp/http" 2>&1 &
server=$!
for ((i = 0; i < 50; i++)); do
	port=$(sed -nE 's/^Serving HTTP on .* port ([0-9]+).*/\1/p' "$tmp/http")
	[ -n "$port" ] && break
	sleep 0.1
done

template "Repository=deb [signed-by=good.gpg] http://127.0.0.1:$port apps main" "Repository=deb [signed-by=good.gpg] flat ./"
if ! build 2>"$tmp/log"; then
	grep -qE 'Unable to connect|Could not resolve|Temporary failure|Connection' "$tmp/log" && skip "Debian cannot be fetched here: $(tail -n 1 "$tmp/log")"
	echo "not ok what a package needs comes from them"
	sed 's/^/    /' "$tmp/log"
	exit 1
fi
echo "ok what a package needs comes from them"
listed() {
	python3 - "$tmp/out/repo-1.manifest.json" "$port" <<-'END'
		import json, sys
		p = {x["name"]: x for x in json.load(open(sys.argv[1]))["packages"]}
		assert p["mka-second"]["repository"] == f"http://127.0.0.1:{sys.argv[2]}/pool/mka-second_1.0_all.deb", p["mka-second"]
		assert len(p["mka-first"]["sha256"]) == 64 and p["mka-flat"]["repository"].startswith("file:///"), p["mka-flat"]
		assert p["base-files"]["repository"].endswith(".deb") and len(p["base-files"]["sha256"]) == 64, p["base-files"]
	END
}
check "the manifest says so" listed
sources() {
	python3 -c '
import json, sys
m = json.load(open(sys.argv[1])); p = [p for p in m["disk"]["partitions"] if p["name"] == "root"][0]
with open(sys.argv[2], "rb") as i, open(sys.argv[3], "wb") as o:
    i.seek(p["offset"]); o.write(i.read(p["size"]))' "$tmp/out/repo-1.manifest.json" "$tmp/out/repo-1.raw" "$tmp/root" &&
		debugfs -R "cat /etc/apt/sources.list" "$tmp/root" 2>/dev/null >"$tmp/sources" && cat "$tmp/sources" &&
		grep -q " apps main" "$tmp/sources" && ! grep -qE 'signed-by|file:' "$tmp/sources"
}
check "the image does not say where on this machine they were" sources
check "again, offline" build --offline

# Everything once more, from the archive and the repositories: no layer of before, another place, time zone and umask.
rebuild() {
	mkdir -p "$tmp/elsewhere/scratch" && (cd "$tmp/elsewhere" && umask 077 &&
		XDG_CACHE_HOME=$tmp/elsewhere/cache TMPDIR=$tmp/elsewhere/scratch TZ=Pacific/Auckland "$mkappliance" rebuild --manifest ../out/repo-1.manifest.json ../t.conf "$@")
}
again() {
	rebuild >"$tmp/said" && grep -qx "identical: every byte of repo 1 comes out again" "$tmp/said" && [ ! -e "$tmp/elsewhere/cache" ] && [ -z "$(ls "$tmp/elsewhere/scratch")" ]
}
check "rebuild: identical, all of it fetched and made anew" again

# The repository moves on; --locked asks for what it had, also where newer layers are in the cache.
forget() { grep -lsE '"what": "(packages that are needed|package mka-app)"' "$XDG_CACHE_HOME"/mkappliance/layers/*.json | while read -r f; do rm -f "$f" "${f%.json}.tar"; done; }
second_is() { python3 -c 'import json, sys; sys.exit(not any((p["name"], p["version"]) == ("mka-second", sys.argv[2]) for p in json.load(open(sys.argv[1]))["packages"]))' "$tmp/out/repo-1.manifest.json" "$1"; }
cp "$tmp/out/repo-1.manifest.json" "$tmp/first.json"
cp "$tmp/out/repo-1.blocks" "$tmp/first.blocks"
cp --sparse=always "$tmp/out/repo-1.raw" "$tmp/first.raw"
moves_on() { deb mka-second "mka-first" "$tmp/repo/pool" 2.0 && index "$tmp/repo" dists/apps main/binary-amd64 && sign "$tmp/repo/dists/apps" good@example.org && forget && build && second_is 2.0; }
check "the repository moves on, and a build with it" moves_on
locked() { build --locked "$tmp/first.json" && second_is 1.0 && cmp "$tmp/first.raw" "$tmp/out/repo-1.raw"; }
check "locked: the versions of the manifest, newer ones in the cache" locked
locked_anew() { forget && locked; }
check "locked: the versions of the manifest, fetched" locked_anew
gone() {
	rm "$tmp/repo/pool/mka-second_1.0_all.deb" && index "$tmp/repo" dists/apps main/binary-amd64 && sign "$tmp/repo/dists/apps" good@example.org && forget &&
		fails_with 3 "package mka-second (all) is version 2.0, the manifest says 1.0" build --locked "$tmp/first.json"
}
check "locked: a version that is gone is named" gone
other_version() {
	local before=$tmp/before/repo-1 status=0
	mkdir "$tmp/before" && cp "$tmp/first.json" "$before.manifest.json" && cp "$tmp/first.blocks" "$before.blocks" && mv "$tmp/first.raw" "$before.raw" || return
	rebuild --manifest "$before.manifest.json" --cache "$XDG_CACHE_HOME/mkappliance" 2>"$tmp/said" || status=$?
	cat "$tmp/said"
	[ $status -eq 3 ] && grep -q "partition 'root' differs, first in /var/lib/dpkg/status: its root hash .*; cause: package mka-second (all) is version 2.0, the manifest says 1.0$" "$tmp/said"
}
check "rebuild: a version that is gone: what differs first, by partition, file and cause" other_version

# A kernel's metapackage moves on to the next kernel, which is a package of another name. Theirs are made up, and say which version they are.
image_deb() { # RELEASE VERSION
	local d=$tmp/p/linux-image-$1
	mkdir -p "$d/DEBIAN" "$d/boot" "$d/lib/modules/$1" && cp "$tmp"/in/modules/*/modules.* "$d/lib/modules/$1/" &&
		python3 - "$tmp/in/vmlinuz" "$d/boot/vmlinuz-$1" "$1 (t@example.org) #1 SMP Debian $2 (2026-01-01)" <<-'END' &&
			import struct, sys
			k = bytearray(open(sys.argv[1], "rb").read())
			k[0x202:0x206] = b"HdrS"
			struct.pack_into("<H", k, 0x20e, 0x300 - 0x200)
			text = sys.argv[3].encode() + b"\0"
			k[0x300:0x300 + len(text)] = text
			open(sys.argv[2], "wb").write(k)
		END
		printf 'Package: linux-image-%s\nVersion: %s\nArchitecture: amd64\nMaintainer: T <t@example.org>\nDescription: t\n' "$1" "$2" >"$d/DEBIAN/control" &&
		dpkg-deb --root-owner-group -b "$d" "$tmp/repo/pool/linux-image-$1_$2_amd64.deb" >/dev/null
}
reindex() { index "$tmp/repo" dists/apps main/binary-amd64 && sign "$tmp/repo/dists/apps" good@example.org; }
# kernel_is RELEASE
kernel_is() { [ "$(json_get "$tmp/out-kernel/synthetic-1.0.manifest.json" kernel.release)" = "$1" ]; }
# kernel_build CACHE [OPTION...]
kernel_build() { XDG_CACHE_HOME=$tmp/cache-$1 synthetic_build "$tmp/in" "$tmp/out-kernel" --quiet "${@:2}"; }
first_kernel() {
	synthetic_inputs "$tmp/in" && rm -r "$tmp/in/base" && mkdir -p "$tmp/in/files/usr/bin" && cp build/hello "$tmp/in/files/usr/bin/application" && sed -i -e "s|^Path=base|Suite=apps\nMirror=http://127.0.0.1:$port\nKeyring=$tmp/good.gpg|" \
		-e 's|^Source=.*|Source=none|; s|^Image=.*|Package=linux-image-mka|; /^ModulesDirectory=/d; /^User=/d; s|^Copy=.*|Copy=files/usr/bin/application:/usr/bin/application mode=0755|' "$tmp/in/appliance.conf" &&
		image_deb 6.1.0-1-mka 6.1.1-1 && deb linux-image-mka linux-image-6.1.0-1-mka "$tmp/repo/pool" 6.1.1-1 && reindex &&
		kernel_build one && kernel_is 6.1.0-1-mka && cp "$tmp"/out-kernel/synthetic-1.0.manifest.json "$tmp/kernel.json" && cp "$tmp"/out-kernel/synthetic-1.0.raw "$tmp/kernel.raw"
}
check "a kernel of a metapackage" first_kernel
next_kernel() { image_deb 6.1.0-2-mka 6.1.9-1 && deb linux-image-mka linux-image-6.1.0-2-mka "$tmp/repo/pool" 6.1.9-1 && reindex && kernel_build two && kernel_is 6.1.0-2-mka; }
check "the metapackage moves on" next_kernel
older_kernel() { # CACHE
	kernel_build "$1" --locked "$tmp/kernel.json" && kernel_is 6.1.0-1-mka && cmp "$tmp/kernel.raw" "$tmp/out-kernel/synthetic-1.0.raw"
}
check "locked: the kernel of the manifest, the newer one in the cache" older_kernel two
check "locked: the kernel of the manifest, from the cache" kernel_build one --locked "$tmp/kernel.json" --offline
gone_kernel() {
	rm "$tmp"/repo/pool/linux-image-6.1.0-1-mka_* && reindex &&
		fails_with 3 "Package=linux-image-mka: linux-image-6.1.0-1-mka 6.1.1-1 of the manifest is in no repository of the template any more" \
			kernel_build three --locked "$tmp/kernel.json"
}
check "locked: a kernel that is gone is named" gone_kernel

refused() { # CODE TEXT LINE
	template "$3"
	fails_with "$1" "$2" build
}
check "a repository that is not signed" refused 1 "is not signed" "Repository=deb [signed-by=good.gpg] unsigned apps main"
check "a repository that another key signed" refused 1 "is not signed" "Repository=deb [signed-by=good.gpg] foreign apps main"
check "a repository that is not there" refused 2 "No such file" "Repository=deb [signed-by=good.gpg] nowhere apps main"
check "no Mirror=" eval 'template "Repository=deb flat ./" && sed -i /^Mirror=/d "$tmp/t.conf" && fails_with 2 "Repository= needs a Mirror=" build'

check "nothing stays mounted" eval '! grep -q "$tmp" /proc/self/mountinfo'

# Another distribution of .debs: suite, mirror, components and keyring go to mmdebstrap as they are.
ubuntu() {
	mkdir -p "$tmp/bin" && printf '#!/bin/sh\nprintf "%%s\\n" "$@" >%s\nexit 1\n' "$tmp/argv" >"$tmp/bin/mmdebstrap" && chmod 755 "$tmp/bin/mmdebstrap" &&
		template 'Components=main universe' 'Keyring=good.gpg' &&
		sed -i -e 's/^Suite=.*/Suite=noble/' -e 's|^Mirror=.*|Mirror=http://archive.example/ubuntu|' "$tmp/t.conf"
	PATH=$tmp/bin:$PATH build 2>/dev/null
	cat "$tmp/argv"
	grep -qx noble "$tmp/argv" && grep -qx "deb \[signed-by=$tmp/good.gpg\] http://archive.example/ubuntu noble main universe" "$tmp/argv"
}
check "Ubuntu: suite, mirror, components and keyring" ubuntu
