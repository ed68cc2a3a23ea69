# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # $tmp is set by functions.sh, $url by serve.sh
#
# What the tests of Source=rpm begin with: the small distribution of scripts/rpm-distribution in $distribution, and RPMs of their own
# (rpm_packages.sh). To be sourced behind functions.sh.

requires_sandbox
requires python3
requires dnf
requires rpmbuild rpm
requires createrepo_c createrepo-c
requires gpg

distribution=$PWD/build/rpm-distribution
scripts/rpm-distribution "$distribution" >"$tmp/log" 2>&1 || {
	echo "not ok the distribution is made"
	tail -n 20 "$tmp/log"
	exit 1
}
. tests/integration/rpm_packages.sh
. tests/integration/serve.sh

# conf NAME LINE...: the template NAME.conf; lines go to [Package]. $repository: instead of what is served, $more: packages beside these,
# $kernel: lines of its own, $confs: the directory of templates
conf() {
	local conf=${confs:-$tmp}/$1.conf
	cat >"$conf" <<-EOF
		[Appliance]
		Name=$1
		Version=1
		[Base]
		Source=rpm
		Release=9
		Repository=${repository:-small $url gpgkey=$distribution/key.asc}
		Packages=bash coreutils rpm kernel-core ${more:-}
		${kernel:-}
		[Init]
		Exec=/usr/bin/sleep 1
		[Package]
	EOF
	[ $# -eq 1 ] || printf '%s\n' "${@:2}" >>"$conf"
}
# root_of NAME: the root file system of $tmp/out/NAME-1.raw becomes $tmp/NAME.root.
root_of() {
	local m=$tmp/out/$1-1.manifest.json
	dd if="$tmp/out/$1-1.raw" of="$tmp/$1.root" bs=1M iflag=skip_bytes,count_bytes status=none \
		skip="$(json_get "$m" disk.partitions.1.offset)" count="$(json_get "$m" disk.partitions.1.used)"
}
# in_root COMMAND...: in that of 'app', mounted where nobody else sees it.
in_root() {
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m bash -euc 'mkdir -p "$1/mnt"; mount -o loop,ro "$1/app.root" "$1/mnt"; shift; exec chroot "$0" "$@"' "$tmp/mnt" "$tmp" "$@"
}
