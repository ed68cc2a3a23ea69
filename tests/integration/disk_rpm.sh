#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Source=disk on distributions of RPMs: the small one of scripts/rpm-distribution with dnf, with yum (the same by another name, as since
# RHEL 8), and with zypper, as RPMs of Debian's own programs, installed by rpm on disks that say they are a Fedora, a CentOS 7 and an
# openSUSE. The guest's manager installs a package of its repository and a file, with their scriptlets. What cannot be seen so is a
# distribution as its vendor makes it.
# Takes: 130 s
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires zypper
requires rpmdb2solv libsolv-tools
requires mke2fs e2fsprogs
requires sfdisk fdisk
requires guestfish guestfs-tools
requires debugfs e2fsprogs
[ "$(id -u)" -eq 0 ] || skip "needs root, to install into other roots"

. tests/integration/rpm_repository.sh
synthetic_inputs "$tmp/in"
. tests/integration/disk_images.sh

# ---- the managers as packages ----

# by_real_directory: paths as rpm wants them, not through /bin or /lib; and what links lead to.
by_real_directory() {
	while read -r f; do
		f=$(realpath "$(dirname "$f")")/$(basename "$f")
		echo "$f"
		[ ! -L "$f" ] || realpath "$f"
	done
}
# manager NAME PACKAGE...: NAME-1-1.x86_64.rpm of the files of these packages of Debian's and of the libraries that they need.
manager() {
	local name=$1
	shift
	dpkg -L "$@" | sort -u | while read -r f; do [ ! -e "$f" ] || { [ -d "$f" ] && [ ! -L "$f" ]; } || echo "$f"; done |
		grep -vE '^/usr/share/(doc|man|locale|info|lintian|bash-completion)/|^(/usr)?/lib/systemd/|^/etc/init|__pycache__|/test/|dist-packages/.*\.pyi$' >"$tmp/$name.list"
	xargs -d '\n' -a "$tmp/$name.list" ldd 2>/dev/null | awk '$2 == "=>" && $3 ~ "^/" { print $3 }' | sort -u >"$tmp/$name.libraries"
	cat "$tmp/$name.list" "$tmp/$name.libraries" | by_real_directory | sort -u >"$tmp/$name.files"
	# shellcheck disable=SC2046 # a line each
	rpm_of "$name" 'AutoReqProv: no' 'Requires: bash' '%define _binary_payload w1.gzdio' '%define __os_install_post %{nil}' '%description' t '%install' \
		"mkdir -p %{buildroot}; sed 's|^/||' $tmp/$name.files | tar -C / -cf - --no-recursion -T - | tar -C %{buildroot} -xf - --no-same-owner" '%files' $(cat "$tmp/$name.files")
}
# shellcheck disable=SC2046 # a word each
managers() {
	manager dnf dnf dnf-data python3-dnf python3-libdnf python3-hawkey python3-libcomps python3-rpm python3-gpg libdnf2-common \
		$(dpkg-query -f '${Package}\n' -W 'libpython3.*-minimal' 'libpython3.*-stdlib' 'python3.*-minimal' | sort -u) python3-minimal &&
		manager zypper zypper zypper-common libzypp-bin libzypp-common libzypp-config libsolv-tools findutils
}
check "dnf and zypper as RPMs" managers || exit
simple thing thing 'Requires: tips'
# shellcheck disable=SC2016 # for the scriptlet
rpm_of app 'Requires: shadow-utils' 'Requires(pre): shadow-utils' '%description' t '%install' 'mkdir -p %{buildroot}/opt/app; echo app >%{buildroot}/opt/app/file' \
	'%pre' 'groupadd -r app; useradd -r -g app app' '%post' 'echo "post $1" >/opt/app/post' '%files' '%dir %attr(750,app,app) /opt/app' '/opt/app/file'
rpm_of failing '%description' t '%post' 'echo the reason; exit 4' '%files'

# base NAME ID VERSION [PACKAGE]: the disk NAME.raw of a distribution with the manager NAME, which is in PACKAGE.
base() {
	local r=$tmp/tree-$1
	mkdir -p "$r" && (cd "$distribution/repository" && rpm --root="$r" --define '_dbpath /usr/lib/sysimage/rpm' --noplugins --nosignature -U \
		{filesystem,setup,glibc,base-libs,bash,coreutils,shadow-utils,rpm}-1-1.x86_64.rpm "$tmp/${4:-$1}-1-1.x86_64.rpm") 2>"$tmp/log" || return
	[ "$1" != yum ] || mv "$r/usr/bin/dnf" "$r/usr/bin/yum" || return
	printf 'NAME=Small\nID=%s\nVERSION_ID=%s\nPRETTY_NAME="Small %s"\n' "$2" "$3" "$2" >"$r/etc/os-release"
	mkdir -p "$r/srv/repository" "$r/etc/yum.repos.d" "$r/etc/zypp/repos.d" && cp "$distribution"/repository/tips-*.rpm "$tmp/thing-1-1.x86_64.rpm" "$r/srv/repository/" &&
		createrepo_c --quiet "$r/srv/repository" || return
	printf '[local]\nname=local\nbaseurl=file:///srv/repository\nenabled=1\ngpgcheck=0\n' | tee "$r/etc/yum.repos.d/local.repo" >"$r/etc/zypp/repos.d/local.repo"
	echo '/dev/sda1 / ext4 defaults 0 1' >"$r/etc/fstab"
	[ "$2" != fedora ] || echo "Fedora release $3 (Small)" >"$r/etc/fedora-release"
	cp -a "$tmp/in/modules/6.1.0-test" "$r/usr/lib/modules/" && cp "$tmp/in/vmlinuz" "$r/usr/lib/modules/6.1.0-test/" && make_disk "$r" "$tmp/$1.raw" 400M && rm -rf "$r"
}
check "a disk with dnf" base dnf fedora 38 || exit
check "a disk with yum" base yum centos 7 dnf || exit
check "a disk with zypper" base zypper opensuse-leap 15.5 || exit

# ---- installing ----

# on NAME DISK LINE...: the template NAME on that disk.
on() {
	conf "$1" "Image=$tmp/$2.raw" "${@:3}" &&
		sed -i -e 's|^Exec=.*|Exec=/usr/bin/sleep 1|' -e '/^User=/d' -e '/^Copy=/d' "$tmp/in/$1.conf"
}
all=("Packages=thing" "Network=yes" "[Package]" "Path=$tmp/app-1-1.x86_64.rpm")
for name in dnf yum zypper; do
	on "$name" "$name" "${all[@]}"
	on "$name-fails" "$name" "[Package]" "Path=$tmp/failing-1-1.x86_64.rpm"
done
# packages NAME: those of the image, but for those of the base.
packages() {
	python3 -c 'import json, sys
names = {p["name"] for p in json.load(open(sys.argv[1]))["packages"]}
base = {"filesystem", "setup", "glibc", "base-libs", "bash", "coreutils", "shadow-utils", "rpm", "dnf", "zypper"}
print(*sorted(names - base), len(names & base))' "$tmp/out-$1/synthetic-1.0.manifest.json"
}
in_root() { # NAME COMMAND...: debugfs's, on the image's root
	debugfs -R "${*:2}" "$tmp/out-$1/synthetic-1.0.raw?offset=$(json_get "$tmp/out-$1/synthetic-1.0.manifest.json" disk.partitions.1.offset)" 2>/dev/null
}
installed() { # NAME PACKAGES
	[ "$(packages "$1")" = "$2" ] || {
		packages "$1"
		return 1
	}
	[ "$(in_root "$1" cat /opt/app/post)" = "post 1" ] && in_root "$1" stat /opt/app | grep -qE 'Mode: +0750' && in_root "$1" cat /etc/passwd | grep -q ^app:
}
# Two at once: each is mostly one processor of libguestfs' machine.
zypper() {
	build zypper --verbose >"$tmp/log-zypper" 2>&1
	echo $? >"$tmp/status-zypper"
	build zypper-fails >"$tmp/log-zypper-fails" 2>&1
}
zypper &
pid=$!
check "dnf: a package of its repository, what that needs, and a file" build dnf --verbose
check "dnf: they are in the image, scriptlets ran" installed dnf "app thing tips 9"
check "yum: a package of its repository, what that needs, and a file" build yum --verbose
check "yum: they are in the image, scriptlets ran" installed yum "app thing tips 9"
failed() { # NAME
	cat "$tmp/log-$1"
	grep "^mkappliance: " "$tmp/log-$1" | grep -qF "$2" && grep -q "the reason" "$tmp/log-$1" && nothing_left "$tmp/cache-$1"
}
build yum-fails >"$tmp/log-yum-fails" 2>&1
check "yum: without network, a %post that fails, its output, nothing left" failed yum-fails "%post(failing-1-1.x86_64) scriptlet failed, exit status 4"
wait $pid
shown() { # NAME
	tail -n 20 "$tmp/log-$1"
	[ "$(cat "$tmp/status-$1")" -eq 0 ]
}
check "zypper: a package of its repository, what that needs, and a file" shown zypper
check "zypper: they are in the image, scriptlets ran" installed zypper "app thing tips 9"
check "zypper: without network, a %post that fails, its output, nothing left" failed zypper-fails "installing the packages failed"
