#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Without root: templates/hello, whose kernel mmdebstrap fetches in a name space of subordinate ids, gives the bytes that root gets.
. "$(dirname "$0")/functions.sh"
requires python3
requires mmdebstrap
requires newuidmap uidmap
requires setpriv util-linux

# Where any user may read it, whatever the build directory's parents allow.
mkdir -p "$tmp/project/build" "$tmp/home"
install -m 755 "$mkappliance" "$(dirname "$mkappliance")/mkappliance-init" build/hello "$tmp/project/build/"
cp -r templates "$tmp/project/"
chmod -R a+rX "$tmp/project"

user=$(id -un)
if [ "$user" = root ]; then
	user=mka-test-$$
	useradd --home-dir "$tmp/home" --shell /bin/bash "$user" || skip "useradd does not work here"
	remove_user() { userdel "$user" 2>/dev/null; }
	at_exit remove_user
	chown "$user:" "$tmp/home"
	as_user() {
		setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups env -u XDG_CACHE_HOME -u TMPDIR HOME="$tmp/home" USER="$user" "$@"
	}
else
	as_user() { env -u XDG_CACHE_HOME HOME="$tmp/home" "$@"; }
fi
has_ids() { grep -q "^$user:" /etc/subuid && grep -q "^$user:" /etc/subgid; }
has_ids || skip "user $user has no subordinate ids in /etc/subuid and /etc/subgid"
as_user unshare --user true 2>/dev/null || skip "users may not make name spaces here (kernel.unprivileged_userns_clone, or a container)"

build() {
	(cd "$tmp/project" && as_user build/mkappliance build templates/hello -o "$tmp/home/out" "$@")
}
if ! build --quiet 2>"$tmp/log"; then
	# Not a fault of ours: no network, or a mirror that is away.
	if grep -qE 'Unable to connect|Could not resolve|Temporary failure|Failed to fetch|Connection' "$tmp/log"; then
		skip "the kernel cannot be fetched here: $(tail -n 1 "$tmp/log")"
	fi
	check "templates/hello" cat "$tmp/log"
	echo "not ok templates/hello is built"
	sed 's/^/    /' "$tmp/log"
	exit 1
fi
echo "ok templates/hello is built"
image=$(echo "$tmp"/home/out/*.raw)
check "it verifies" as_user "$tmp/project/build/mkappliance" verify "$image" --quiet
owned() { [ "$(stat -c %U "$image")" = "$user" ]; }
check "it belongs to the user" owned
check "a second time, --offline" build --offline --quiet

# The kernel's package may have another version by now; then there is nothing to compare.
as_root() {
	"$tmp/project/build/mkappliance" build "$tmp/project/templates/hello" -o "$tmp/root" --offline --quiet
}
kernel_of() { python3 -c 'import json, sys
print(next(i["sha256"] for i in json.load(open(sys.argv[1]))["inputs"] if i["kind"] == "kernel"))' "$1"/*.manifest.json; }
same_image() {
	same_bytes "$image" "$tmp"/root/*.raw && cmp "${image%.raw}.manifest.json" "$tmp"/root/*.manifest.json
}
if [ "$(id -u)" -eq 0 ] && as_root 2>"$tmp/log" && [ "$(kernel_of "$tmp/home/out")" = "$(kernel_of "$tmp/root")" ]; then
	check "root gets the same bytes" same_image
else
	check_skip "root gets the same bytes" "root has not got that kernel in its cache: $(tail -n 1 "$tmp/log")"
fi

refuses_without_ids() {
	fails_with 1 'no subordinate ids in /etc/subuid and /etc/subgid' \
		setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$tmp/nobody" "$tmp/project/build/mkappliance" \
		build "$tmp/project/templates/hello" -o "$tmp/nobody" --quiet
}
if [ "$(id -u)" -eq 0 ] && ! grep -qE '^(nobody|65534):' /etc/subuid; then
	install -d -m 777 "$tmp/nobody"
	check "a user without subordinate ids is told how to get them" refuses_without_ids
else
	check_skip "a user without subordinate ids is told how to get them" "needs root to become one"
fi
