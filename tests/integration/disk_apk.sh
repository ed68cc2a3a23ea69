#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Source=disk on Alpine: the disk image that scripts/setup brings from PyPI, made by others, with a repository of the test's own over HTTP.
# Its packages are made by the image's apk, and one as abuild makes them, in the format of apk 2. The image becomes one of ours, boots with
# its own kernel and answers.
# Takes: 60 s
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3
requires openssl
requires debugfs e2fsprogs
requires sfdisk fdisk
requires qemu-img qemu-utils
requires guestfish guestfs-tools
synthetic_inputs "$tmp/in"
. tests/integration/disk_images.sh
. tests/integration/serve.sh
unset MKAPPLIANCE_INIT # this one boots

# ---- a package as abuild makes it: https://wiki.alpinelinux.org/wiki/Apk_spec ----

cat >"$tmp/abuild.py" <<'PY'
import gzip, hashlib, io, sys, tarfile


def segment(members, whole):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, mode, data in members:
            info = tarfile.TarInfo(name)
            info.mode, info.mtime, info.uname, info.gname = mode, 1600000000, "root", "root"
            if data is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(data)
                info.pax_headers = {"APK-TOOLS.checksum.SHA1": hashlib.sha1(data).hexdigest()} if whole else {}
            tar.addfile(info, io.BytesIO(data or b""))
        end = raw.tell()
    # Only the last segment has the end of an archive.
    return gzip.compress(raw.getvalue() if whole else raw.getvalue()[:end], mtime=0)


data = segment([("opt", 0o755, None), ("opt/app", 0o750, None), ("opt/app/file", 0o640, b"app\n")], True)
info = f"""pkgname = app
pkgver = 2.1-r3
pkgdesc = an application
url = https://example.org
builddate = 1600000000
packager = A Builder <b@example.org>
maintainer = A Person <a@example.org>
size = 4
arch = x86_64
license = Apache-2.0
origin = app
depend = more
datahash = {hashlib.sha256(data).hexdigest()}
"""
script = b"#!/bin/sh\naddgroup -S app\nadduser -S -D -H -G app app\n"
control = segment([(".PKGINFO", 0o644, info.encode()), (".pre-install", 0o755, script)], False)
open(sys.argv[1], "wb").write(control + data)
PY
python3 "$tmp/abuild.py" "$tmp/app.apk" || exit 1

cp "$tmp/in/appliance.conf" "$tmp/in/other.conf" && printf '[Package]\nPath=%s\n' "$tmp/app.apk" >>"$tmp/in/other.conf"
check "an .apk on another base" fails_with 2 "app.apk: an .apk is installed by a base's own apk: it needs [Base] Source=disk" build other

# ---- the base, its repository ----

alpine=$(find build/alpine -name 'alpine-*.qcow2' 2>/dev/null | head -n 1)
[ -n "$alpine" ] || {
	check_skip "apk installs: 9 checks" "no disk image of an Alpine in build/alpine (scripts/setup test)"
	exit
}
qemu-img convert -O raw "$alpine" "$tmp/part" || exit 1
mkdir -p "$tmp/guest" "$tmp/keys" "$tmp/repository"
for dir in /lib /usr/lib /sbin; do
	mkdir -p "$tmp/guest$(dirname $dir)" && debugfs -R "rdump $dir $tmp/guest$(dirname $dir)" "$tmp/part" >/dev/null 2>&1
done
openssl genrsa -out "$tmp/test.rsa" 2048 2>/dev/null && openssl rsa -in "$tmp/test.rsa" -pubout -out "$tmp/keys/test.rsa.pub" 2>/dev/null
apk() {
	"$(echo "$tmp"/guest/lib/ld-musl-*.so.1)" --library-path "$tmp/guest/usr/lib:$tmp/guest/lib" "$tmp/guest/sbin/apk" "$1" \
		--keys-dir "$tmp/keys" --sign-key "$tmp/test.rsa" "${@:2}"
}
# package FILE NAME VERSION [OPTION...]
package() {
	apk mkpkg --info "name:$2" --info "version:$3" --info arch:x86_64 --info description:t --info license:MIT --output "$1" "${@:4}"
}
mkdir -p "$tmp/thing/opt/thing"
printf '#!/bin/sh\nprintf "HTTP/1.0 200 OK\\r\\n\\r\\n"\ncat /opt/thing/post\n' >"$tmp/thing/opt/thing/answer"
chmod 755 "$tmp/thing/opt/thing/answer"
# shellcheck disable=SC2016 # for the scriptlet
printf '#!/bin/sh\necho "post $1" >/opt/thing/post\n' >"$tmp/post"
packages() {
	package "$tmp/repository/tips-1-r0.apk" tips 1-r0 &&
		package "$tmp/repository/more-7-r0.apk" more 7-r0 &&
		package "$tmp/repository/thing-1.0-r0.apk" thing 1.0-r0 --info depends:tips --files "$tmp/thing" --script "post-install:$tmp/post" &&
		package "$tmp/needs.apk" needs 1-r0 --info depends:no-such &&
		apk mkndx --output "$tmp/repository/Packages.adb" "$tmp"/repository/*.apk
}
check "its apk makes packages and an index" packages || exit
serve "$tmp/repository"
# The host's loopback, as the network of libguestfs' machine has it.
echo "${url/127.0.0.1/169.254.2.2}Packages.adb" >"$tmp/repositories"
debugfs -w -f - "$tmp/part" >/dev/null 2>&1 <<END
rm /etc/apk/repositories
write $tmp/repositories /etc/apk/repositories
write $tmp/keys/test.rsa.pub /etc/apk/keys/test.rsa.pub
END
disk_of "$tmp/part" "$tmp/alpine.raw" && rm "$tmp/part" || exit 1

# ---- installing ----

template() { # NAME LINE...: with the kernel of the base
	cat >"$tmp/in/$1.conf" <<-END
		[Appliance]
		Name=synthetic
		Version=1.0
		[Kernel]
		CommandLine=console=ttyS0
		[Init]
		Exec=/usr/bin/nc -lk -p 8080 -e /opt/thing/answer
		[Test]
		Get=http://:8080/ 200 "post 1.0-r0"
		[Base]
		Source=disk
		Image=$tmp/alpine.raw
	END
	printf '%s\n' "${@:2}" >>"$tmp/in/$1.conf"
}
template good "Packages=thing" "Network=yes" "[Package]" "Path=$tmp/app.apk"
template needs "[Package]" "Path=$tmp/needs.apk"
needs() {
	build needs >"$tmp/log-needs" 2>&1
	echo $? >"$tmp/status-needs"
}
needs &
pid=$!
check "a package of its repository, what that needs, and a file" build good --verbose || exit
manifest=$tmp/out-good/synthetic-1.0.manifest.json
image=$tmp/out-good/synthetic-1.0.raw
in_manifest() {
	python3 - "$manifest" "${manifest%.manifest.json}.spdx.json" <<-'PY'
		import json, sys
		m, s = (json.load(open(p)) for p in sys.argv[1:])
		packages = {p["name"]: p for p in m["packages"]}
		print(len(packages))
		for name, version in ("thing", "1.0-r0"), ("tips", "1-r0"), ("more", "7-r0"), ("app", "2.1-r3"):
		    p = packages[name]
		    assert (p["type"], p["version"], p["arch"]) == ("apk", version, "x86_64"), p
		app, musl = packages["app"], packages["musl"]
		assert app["license"] == "Apache-2.0" and app["vendor"] == "A Person <a@example.org>" and app["source"] == "app 2.1-r3", app
		assert len(packages) > 50 and musl["license"] == "MIT", musl
		refs = {r["referenceLocator"] for p in s["packages"] for r in p.get("externalRefs", [])}
		assert any(r.startswith("pkg:apk/alpine/thing@1.0-r0?arch=x86_64&distro=alpine-3.") for r in refs), refs
	PY
}
check "they are in the manifest and in the SPDX document" in_manifest
in_root() { # COMMAND...: debugfs's
	debugfs -R "$*" "$image?offset=$(json_get "$manifest" disk.partitions.1.offset)" 2>/dev/null
}
installed() {
	in_root cat /etc/passwd
	in_root stat /opt/app
	[ "$(in_root cat /opt/thing/post)" = "post 1.0-r0" ] && [ "$(in_root cat /opt/app/file)" = app ] &&
		in_root stat /opt/app | grep -qE 'Mode: +0750' && in_root cat /etc/passwd | grep -q ^app: && in_root cat /etc/apk/world | grep -qx thing
}
check "they are in the image, scripts ran" installed
clean() {
	in_root ls /var/cache/apk
	in_root ls /var/log
	! in_root ls /var/cache/apk | grep -q APKINDEX && ! in_root ls /var/log | grep -q apk.log && ! in_root ls / | grep -q mkappliance
}
check "nothing is left of installing" clean
check "the image verifies" "$mkappliance" verify "$image" --quiet
check "it boots with its own kernel and answers" "$mkappliance" test "$image"
check "nothing is left in the cache's work" [ -z "$(find "$tmp/cache-good/work" -mindepth 1)" ]

wait $pid
failed() {
	cat "$tmp/log-needs"
	[ "$(cat "$tmp/status-needs")" -eq 1 ] && grep "^mkappliance: " "$tmp/log-needs" | grep -qF -- "$1" && nothing_left "$tmp/cache-needs"
}
check "without network, what nothing provides, who needs it, nothing left" \
	failed "without network ([Base] Network=no): installing the packages failed: no-such (no such package): required by: needs-1-r0[no-such]"
