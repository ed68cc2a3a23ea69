# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # $tmp is set by functions.sh; $url is for the tests
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

# serve DIR: over HTTP on the loopback until the test ends; sets $url.
serve() {
	python3 -c 'import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print(server.server_address[1], flush=True)
server.serve_forever()' "$1" >"$tmp/port" 2>/dev/null &
	server=$!
	at_exit stop_server
	until [ -s "$tmp/port" ]; do sleep 0.05; done
	url=http://127.0.0.1:$(cat "$tmp/port")/
}
stop_server() { kill "$server" 2>/dev/null; }

# conf NAME LINE...: the template NAME.conf; lines go to [Package]. $repository: instead of what is served, $more: packages beside these
conf() {
	local name=$1
	shift
	cat >"$tmp/$name.conf" <<-EOF
		[Appliance]
		Name=$name
		Version=1
		[Base]
		Source=rpm
		Release=9
		Repository=${repository:-small $url gpgkey=$distribution/key.asc}
		Packages=bash coreutils rpm kernel-core ${more:-}
		[Init]
		Exec=/usr/bin/sleep 1
		[Package]
	EOF
	[ $# -eq 0 ] || printf '%s\n' "$@" >>"$tmp/$name.conf"
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
