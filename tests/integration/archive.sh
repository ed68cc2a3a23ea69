# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # $tmp is set by functions.sh
#
# The Debian archive that this machine itself installs from, sourced by tests. No test knows the name of a server.

# debian_archive: prints the URL that the machine's apt has for the archive (not for updates or security).
debian_archive() {
	apt-get indextargets --format "\$(CODENAME) \$(REPO_URI)" 'Origin: Debian' 'Component: main' 2>/dev/null |
		awk '$1 !~ /-/ { sub("/*$", "", $2); print $2; exit }' | grep .
}

# private_apt DIR PROGRAM ARGUMENT...: apt with lists and caches of its own in DIR; the machine's stay as they are.
private_apt() {
	local dir=$1 program=$2
	shift 2
	"$program" -qq -o "Dir::State=$dir" -o "Dir::State::Status=$dir/status" -o "Dir::Cache=$dir" \
		-o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=- -o APT::Sandbox::User="$(id -un)" \
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Acquire::Languages=none -o Acquire::Retries=2 \
		-o APT::Update::Post-Invoke= -o APT::Update::Post-Invoke-Success= "$@"
}

# fetch_kernel DIR SUITE: Debian's kernel for clouds of that suite as DIR/vmlinuz and DIR/modules/RELEASE, fetched once. A line that
# says why not, and 1, when it cannot be had. One test at a time: two may want it at once.
fetch_kernel() {
	(
		flock 9 && fetch_kernel_once "$@"
	) 9>"$1.lock"
}
fetch_kernel_once() {
	local dir=$1 suite=$2 url work package release
	[ ! -e "$dir/vmlinuz" ] || return 0
	url=$(debian_archive) || { echo "apt knows no Debian archive"; return 1; }
	work=$(mktemp -d "$tmp/apt.XXXXXX") && mkdir -p "$work"/{lists,archives}/partial "$work/tree" && : >"$work/status" || return
	echo "deb $url $suite main" >"$work/sources.list"
	if ! { private_apt "$work" apt-get update >"$work/log" 2>&1 &&
		package=$(private_apt "$work" apt-cache depends --important linux-image-cloud-amd64 2>"$work/log" |
			sed -n 's/^ *Depends: \(linux-image-[^ ]*\).*/\1/p' | head -n 1) && [ -n "$package" ] &&
		(cd "$work" && private_apt "$work" apt-get download "$package" >"$work/log" 2>&1); }; then
		echo "no kernel of $suite: $(tail -n 1 "$work/log")"
		return 1
	fi
	dpkg-deb -x "$work"/linux-image-*.deb "$work/tree" && mkdir -p "$dir" || return
	[ -e "$work/tree/lib" ] || ln -s usr/lib "$work/tree/lib" # after the /usr merge
	release=$(basename "$work/tree"/boot/vmlinuz-*) && release=${release#vmlinuz-} && depmod -b "$work/tree" "$release" &&
		cp -r "$work/tree/lib/modules" "$dir/" && mv "$work/tree/boot/vmlinuz-$release" "$dir/vmlinuz" && rm -rf "$work"
}
