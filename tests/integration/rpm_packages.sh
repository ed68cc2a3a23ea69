# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
#
# RPMs of the tests' own, made by rpmbuild. To be sourced behind functions.sh, with the small distribution in $distribution.

# rpm_of NAME LINE...: NAME-1-1.x86_64.rpm of a spec with these lines behind its description; signed when $sign is set.
rpm_of() {
	local name=$1
	shift
	{
		printf '%%global debug_package %%{nil}\n%%global _build_id_links none\n'
		printf 'Name: %s\nVersion: 1\nRelease: 1\nSummary: t\nLicense: t\n' "$name"
		printf '%s\n' "$@"
	} >"$tmp/$name.spec"
	rpmbuild -bb --quiet --define "_topdir $tmp/build" --define "_rpmdir $tmp" --define "_dbpath $tmp/db" --target x86_64 \
		--define "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" "$tmp/$name.spec" >"$tmp/log" 2>&1 || {
		cat "$tmp/log"
		return 1
	}
	[ -z "${sign:-}" ] || rpmsign --define "__gpg $(type -P gpg)" --define "_gpg_name $sign" --define "_gpg_path ${gnupg:-$distribution/gnupg}" \
		--addsign "$tmp/$name-1-1.x86_64.rpm" >/dev/null 2>&1
}
# A file below /opt, and what else is said.
simple() {
	local name=$1 file=$2
	shift 2
	rpm_of "$name" "$@" '%description' t '%install' "mkdir -p %{buildroot}/opt; echo $name >%{buildroot}/opt/$file" '%files' "/opt/$file"
}
