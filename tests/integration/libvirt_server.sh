# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # $tmp is set by functions.sh
#
# A libvirtd of the test's own: in a mount and a network name space, with memory file systems where its settings, state and sockets
# are, so that qemu:///system is this one and the machine's own never hears of it. Sourced behind functions.sh; the test starts anew
# inside the name space.

requires libvirtd libvirt-daemon
requires virsh libvirt-clients
requires qemu-system-x86_64 qemu-system-x86
[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || skip "no UEFI firmware (apt-get install ovmf)"
[ -e /usr/share/qemu/firmware ] || skip "nothing says to libvirt which firmware there is (apt-get install ovmf)"
[ "$(id -u)" -eq 0 ] || skip "a libvirtd in a name space of its own is for root"

if [ -z "${LIBVIRT_SERVER_INSIDE:-}" ]; then
	unshare --mount --net true 2>/dev/null || skip "no mount and network name spaces here"
	unshare --mount mount --make-rprivate / 2>/dev/null || skip "the root directory is no mount point"
	remove_tmp
	export LIBVIRT_SERVER_INSIDE=1
	exec unshare --mount --net bash "$0" "$@"
fi

uri=qemu:///system
libvirtd_pid=

# Domains first: a daemon that ends leaves its machines.
libvirt_stop() {
	local domain
	[ -n "$libvirtd_pid" ] || return 0
	for domain in $(virsh -q -c $uri list --name 2>/dev/null); do virsh -q -c $uri destroy "$domain" >/dev/null 2>&1; done
	kill "$libvirtd_pid" 2>/dev/null
	wait "$libvirtd_pid" 2>/dev/null
	for directory in pool small; do umount "$tmp/$directory" 2>/dev/null; done
}

libvirt_start() {
	local directory i
	for directory in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /run/libvirt; do
		mkdir -p "$directory" && mount -t tmpfs -o mode=755 tmpfs "$directory" || return
	done
	mkdir -p /var/lib/libvirt/{images,qemu,swtpm} && ip link set lo up &&
		cat >/etc/libvirt/libvirtd.conf <<-END && cat >/etc/libvirt/qemu.conf <<-END2 || return
			unix_sock_group = "root"
			auth_unix_ro = "none"
			auth_unix_rw = "none"
			log_outputs = "3:file:$tmp/libvirtd.log"
		END
			user = "root"
			group = "root"
			swtpm_user = "root"
			swtpm_group = "root"
			security_driver = "none"
			namespaces = []
			cgroup_controllers = []
			stdio_handler = "file"
		END2
	libvirtd --pid-file "$tmp/libvirtd.pid" --config /etc/libvirt/libvirtd.conf >"$tmp/libvirtd.out" 2>&1 &
	libvirtd_pid=$!
	at_exit libvirt_stop
	for ((i = 0; i < 600; i++)); do
		virsh -q -c $uri uri >/dev/null 2>&1 && return
		kill -0 $libvirtd_pid || break
		sleep 0.1
	done
	cat "$tmp/libvirtd.out" "$tmp/libvirtd.log"
	return 1
}

virsh_do() { virsh -q -c $uri "$@"; }

# start_and_read DOMAIN TEXT: its console up to a line with TEXT, or up to its end or 3 minutes. It is started paused, so that no line is lost.
start_and_read() {
	virsh_do start --paused "$1" && python3 - "$1" "$(virsh_do ttyconsole "$1")" "$2" <<-'PY'
		import os, select, subprocess, sys, time, tty
		domain, path, text = sys.argv[1:]
		fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
		tty.setraw(fd)
		subprocess.run(["virsh", "-q", "-c", "qemu:///system", "resume", domain], check=True)
		seen, end = b"", time.monotonic() + 180
		while text.encode() not in seen and time.monotonic() < end:
		    if select.select([fd], [], [], 1)[0]:
		        try:
		            seen += os.read(fd, 65536)
		        except OSError:
		            break
		print(seen.decode(errors="replace"))
		sys.exit(text.encode() not in seen)
	PY
}
