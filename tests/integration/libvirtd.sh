# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # variables of functions.sh, and for the test
#
# A libvirtd of the test's own, as a system connection, beside whatever runs here. After functions.sh:
#
#   . "$(dirname "$0")/libvirtd.sh"
#   libvirtd_start || exit 1       not by check, whose commands run in a shell of their own; then $libvirt_uri is for --connect and virsh -c
#
# It sees empty directories of its own where libvirt's are, in a mount name space, and everything else as it is. Its machines run as libvirt's
# own user, as usual. Needs root.

libvirtd_dir=$tmp/libvirtd
libvirt_uri="qemu+unix:///system?socket=$libvirtd_dir/libvirt-sock"
libvirtd_pid=

libvirtd_in_namespace() {
	local dir
	mount --make-rprivate / || return
	for dir in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /run/libvirt; do
		mkdir -p "$dir" && mount -t tmpfs -o mode=755 none "$dir" || return
	done
	# A /dev/kvm that cannot be used costs two seconds for each question of what qemu can.
	if [ -e /dev/kvm ] && ! grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo; then
		: >/run/libvirt/kvm && chmod 0 /run/libvirt/kvm && mount --bind /run/libvirt/kvm /dev/kvm || return
	fi
	# No daemon beside it that writes logs, no cgroups, no labels.
	cat >/etc/libvirt/qemu.conf <<-END || return
		stdio_handler = "file"
		security_driver = "none"
		cgroup_controllers = []
		namespaces = []
		remember_owner = 0
	END
	exec libvirtd -f "$libvirtd_dir/libvirtd.conf" -p "$libvirtd_dir/pid"
}

libvirtd_stop() {
	local name i
	[ -n "$libvirtd_pid" ] || return 0
	for name in $(virsh -c "$libvirt_uri" list --name 2>/dev/null); do
		virsh -c "$libvirt_uri" destroy "$name" >/dev/null 2>&1
	done
	kill "$libvirtd_pid" 2>/dev/null
	for ((i = 0; i < 100; i++)); do
		kill -0 "$libvirtd_pid" 2>/dev/null || break
		sleep 0.1
	done
	kill -9 "$libvirtd_pid" 2>/dev/null
	wait "$libvirtd_pid" 2>/dev/null
	libvirtd_pid=
}

libvirtd_start() {
	local i
	mkdir -p "$libvirtd_dir"
	cat >"$libvirtd_dir/libvirtd.conf" <<-END
		unix_sock_dir = "$libvirtd_dir"
		auth_unix_rw = "none"
		auth_unix_ro = "none"
	END
	export -f libvirtd_in_namespace
	libvirtd_dir=$libvirtd_dir unshare --mount bash -c libvirtd_in_namespace >"$libvirtd_dir/log" 2>&1 &
	libvirtd_pid=$!
	at_exit libvirtd_stop
	for ((i = 0; i < 600; i++)); do
		! virsh -c "$libvirt_uri" version >/dev/null 2>&1 || return 0
		kill -0 "$libvirtd_pid" 2>/dev/null || break
		sleep 0.1
	done
	cat "$libvirtd_dir/log"
	return 1
}
