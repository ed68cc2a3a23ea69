#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Mode=system: which units run is what their packages' scripts and presets say, as on any server. On the base of
# templates/debian-systemd: one unit that a .deb enables, one that nothing but a preset of [Files] enables, and one that a .deb enables
# and a preset disables.
. "$(dirname "$0")/functions.sh"
requires_sandbox
requires python3
requires mmdebstrap
requires dpkg-deb dpkg
requires debugfs e2fsprogs
[ -x build/hello ] || skip "build/hello is not built (make)"

. tests/integration/own_cache.sh
own_cache "base bookworm" "kernel linux-image-cloud-amd64"

unit() { # NAME PORT
	printf '[Unit]\nDescription=%s\n[Service]\nExecStart=/usr/bin/hello %s\nDynamicUser=yes\n[Install]\nWantedBy=multi-user.target\n' "$1" "$2"
}
deb() { # NAME PORT
	mkdir -p "$tmp/$1/DEBIAN" "$tmp/$1/lib/systemd/system" && unit "$1" "$2" >"$tmp/$1/lib/systemd/system/$1.service" &&
		printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: T <t@example.org>\nDepends: init-system-helpers\nDescription: t\n' "$1" \
			>"$tmp/$1/DEBIAN/control" &&
		printf '#!/bin/sh\nset -e\ndeb-systemd-helper enable %s.service\ndeb-systemd-invoke start %s.service\n' "$1" "$1" >"$tmp/$1/DEBIAN/postinst" &&
		chmod 755 "$tmp/$1/DEBIAN/postinst" && dpkg-deb --root-owner-group -b "$tmp/$1" "$tmp/$1.deb" >/dev/null
}
make_all() {
	deb mka-on 8081 && deb mka-off 8083 && unit mka-preset 8082 >"$tmp/mka-preset.service" &&
		printf 'enable mka-preset.service\nenable systemd-networkd.service\ndisable mka-off.service\n' >"$tmp/mka.preset" && : >"$tmp/masked" &&
		cp templates/debian-systemd/dhcp.network "$tmp/" && cp build/hello "$tmp/hello" &&
		sed -e '/^\[Files\]/,/^$/{/^\[Files\]/!d}' -e '/^\[Test\]/,$d' -e 's/^Name=.*/Name=presets/' \
			templates/debian-systemd/appliance.conf >"$tmp/appliance.conf" &&
		cat >>"$tmp/appliance.conf" <<-'END'
			[Package]
			Path=mka-on.deb
			Path=mka-off.deb
			[Files]
			Copy=hello:/usr/bin/hello mode=0755
			Copy=mka-preset.service:/usr/lib/systemd/system/mka-preset.service mode=0644
			Copy=mka.preset:/etc/systemd/system-preset/10-mka.preset mode=0644
			Copy=dhcp.network:/etc/systemd/network/80-dhcp.network mode=0644
			Copy=masked:/etc/systemd/system/getty@.service mode=0644
			Copy=masked:/etc/systemd/system/apt-daily.timer mode=0644
			Copy=masked:/etc/systemd/system/apt-daily-upgrade.timer mode=0644
			[Test]
			Get=http://:8081/ 200
			Get=http://:8082/ 200
			Timeout=240
			Memory=768M
		END
}

check "packages are made" make_all || exit
if ! "$mkappliance" build "$tmp" -o "$tmp/out" --quiet 2>"$tmp/log"; then
	if grep -qE 'Unable to connect|Could not resolve|Temporary failure|Failed to fetch|Connection' "$tmp/log"; then
		skip "Debian cannot be fetched here: $(tail -n 1 "$tmp/log")"
	fi
	echo "not ok it builds"
	sed 's/^/    /' "$tmp/log"
	exit 1
fi
echo "ok it builds"
image=$tmp/out/presets-1.0.0.raw
links() {
	python3 -c '
import json, sys
m = json.load(open(sys.argv[1])); p = [p for p in m["disk"]["partitions"] if p["name"] == "root"][0]
with open(sys.argv[2], "rb") as i, open(sys.argv[3], "wb") as o:
    i.seek(p["offset"]); o.write(i.read(p["used"]))' "${image%.raw}.manifest.json" "$image" "$tmp/root" &&
		debugfs -R "ls -p /etc/systemd/system/multi-user.target.wants" "$tmp/root" 2>/dev/null >"$tmp/wants" && cat "$tmp/wants" &&
		grep -q /mka-on.service/ "$tmp/wants" && grep -q /mka-preset.service/ "$tmp/wants" && ! grep -q /mka-off.service/ "$tmp/wants"
}
check "links are those that scripts and presets say" links
if [ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] && command -v qemu-system-x86_64 >/dev/null; then
	check "the units run" "$mkappliance" test "$image" --quiet
else
	check_skip "the units run" "no qemu or no UEFI firmware (apt-get install qemu-system-x86 ovmf)"
fi
