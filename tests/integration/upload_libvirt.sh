#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# upload --to libvirt: into pools of a real libvirtd; what is stored is what was built, the domain boots it, and nothing half made stays.
# Takes: 60 s
. "$(dirname "$0")/functions.sh"
requires qemu-system-x86_64 qemu-system-x86
requires virsh libvirt-clients
requires swtpm
requires swtpm_setup swtpm-tools
requires xmllint libxml2-utils
[ -x /usr/sbin/libvirtd ] || requires libvirtd libvirt-daemon-system
[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || skip "no UEFI firmware (apt-get install ovmf)"
[ "$(id -u)" -eq 0 ] || skip "a libvirtd of the test's own needs root"
can_sandbox || skip "no mount name space here"

# What is mounted for it goes with it.
if [ -z "${UPLOAD_LIBVIRT_INSIDE:-}" ]; then
	remove_tmp
	UPLOAD_LIBVIRT_INSIDE=1 exec unshare --mount bash "$0"
fi
. tests/integration/libvirtd.sh

for version in 1 2; do
	"$mkappliance" build templates/hello -o "$tmp/out" --version $version --quiet || {
		echo "not ok hello $version builds"
		exit 1
	}
done
image=$tmp/out/hello-1.raw second=$tmp/out/hello-2.raw
at_exit unmount
unmount() { umount "$tmp/small"; }
mkdir "$tmp/golden" "$tmp/small" && mount -t tmpfs -o size=40m,mode=755 tmpfs "$tmp/small" || exit 1
# Keys and logs of TPMs that other users of this machine left are in the way of libvirt's.
for directory in /var/log/swtpm /var/lib/swtpm-localca; do
	[ ! -d $directory ] || mount -t tmpfs -o "mode=755,uid=$(id -u tss)" tmpfs $directory || exit 1
done
libvirtd_start || {
	echo "not ok a libvirtd of the test's own"
	exit 1
}
uri=$libvirt_uri
virsh_do() { virsh -q -c "$uri" "$@"; }
make_pools() {
	virsh_do pool-create-as golden dir --target "$tmp/golden" && virsh_do pool-create-as small dir --target "$tmp/small" &&
		virsh_do pool-define-as asleep dir --target "$tmp/out"
}
make_pools >/dev/null || {
	echo "not ok pools are made"
	exit 1
}
export LIBVIRT_DEFAULT_URI=$uri
upload() { "$mkappliance" upload --to libvirt --connect "$uri" --quiet "$@"; }
to_golden() { upload --pool golden "$@"; }
volumes() { virsh_do vol-list golden | awk '{ print $1 }' | tr '\n' ' '; }
# domain_has NAME XPATH
domain_has() { virsh_do dumpxml --inactive "$1" | xmllint --xpath "$2" - >/dev/null 2>&1 || {
	virsh_do dumpxml --inactive "$1"
	return 1
}; }

nothing_is_made() { to_golden "$image" --dry-run && [ -z "$(volumes)" ] && [ -z "$(virsh_do list --all --name)" ]; }
check "a dry run makes nothing" nothing_is_made

first() {
	to_golden "$image" --json >"$tmp/first.json" && [ "$(volumes)" = "hello-1 " ] &&
		virsh_do vol-download --sparse --pool golden hello-1 "$tmp/back.raw" && same_bytes "$image" "$tmp/back.raw" && rm "$tmp/back.raw" &&
		[ "$(json_get "$tmp/first.json" already)" = false ] && [ "$(json_get "$tmp/first.json" domain)" = hello ] &&
		[ "$(json_get "$tmp/first.json" images.0.region) $(json_get "$tmp/first.json" images.0.image)" = "golden hello-1" ]
}
check "what libvirt's own client gets is what was built" first
holes() { [ $(($(stat -c %b "$tmp/golden/hello-1") * 512)) -lt $(($(stat -c %s "$image") / 2)) ]; }
check "zeros take no room there" holes

domain() {
	local root
	root=$(json_get "$tmp/out/hello-1.manifest.json" verity.root_hash)
	domain_has hello "//disk[@device='disk'][source/@file='$tmp/golden/hello-1'][readonly][target/@bus='virtio']" &&
		domain_has hello "//os[@firmware='efi']" && domain_has hello "//tpm/backend[@type='emulator']" &&
		domain_has hello "//serial" && domain_has hello "//interface[@type='user']" &&
		domain_has hello "//metadata/*[local-name()='appliance'][@version='1'][@root-hash='$root']" &&
		[ "$(virsh_do domstate hello)" = "shut off" ]
}
check "the domain is defined, says what it runs, and is not started" domain
check "verify reads it back" "$mkappliance" verify libvirt:golden/hello-1 --manifest "$tmp/out/hello-1.manifest.json" --quiet
check "verify --full proves it" \
	"$mkappliance" verify libvirt:golden/hello-1 --manifest "$tmp/out/hello-1.manifest.json" --full --quiet

# start_and_read DOMAIN TEXT: its console up to a line with TEXT, or up to its end or 3 minutes. It is started paused, so that no line is lost.
start_and_read() {
	virsh_do start --paused "$1" && python3 - "$1" "$(virsh_do ttyconsole "$1")" "$2" <<-'PY'
		import os, select, subprocess, sys, time, tty
		domain, path, text = sys.argv[1:]
		fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
		tty.setraw(fd)
		subprocess.run(["virsh", "-q", "resume", domain], check=True)
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

boots() {
	start_and_read hello '"event": "ready"' >"$tmp/console" && grep -q '"event": "verified"' "$tmp/console" && virsh_do destroy hello
}
check "it boots and verifies" boots

again() {
	local before
	before=$(virsh_do dumpxml --inactive hello) && to_golden "$image" --json >"$tmp/again.json" &&
		[ "$(json_get "$tmp/again.json" already)" = true ] && [ "$(json_get "$tmp/again.json" sent_bytes)" = 0 ] &&
		[ "$(volumes)" = "hello-1 " ] && [ "$(virsh_do dumpxml --inactive hello)" = "$before" ]
}
check "the same image again is no work" again

next_version() {
	local uuid old
	old=$(stat -c '%y %s %b' "$tmp/golden/hello-1") && uuid=$(virsh_do domuuid hello) && to_golden "$second" --memory 300 --no-tpm && [ "$(volumes)" = "hello-1 hello-2 " ] &&
		same_bytes "$second" "$tmp/golden/hello-2" && [ "$(stat -c '%y %s %b' "$tmp/golden/hello-1")" = "$old" ] && [ "$(virsh_do domuuid hello)" = "$uuid" ] &&
		domain_has hello "//disk[source/@file='$tmp/golden/hello-2']" && domain_has hello "//memory[. = '307200']" &&
		! domain_has hello "//tpm" >/dev/null
}
check "the next version gets its own volume, and the domain boots that one" next_version
beside() {
	to_golden "$second" --domain other && domain_has other "//disk[source/@file='$tmp/golden/hello-2']" && virsh_do undefine --nvram other
}
check "another domain beside it" beside

check "a volume of that name with another image is refused" \
	fails_with 1 "volume 'hello-1' of pool 'golden' is there and is not this image (block" to_golden "$second" --name hello-1
turned() {
	printf x | dd of="$tmp/golden/hello-2" bs=1 seek=$(($(json_get "$tmp/out/hello-2.manifest.json" disk.partitions.1.offset) + 5000)) conv=notrunc status=none &&
		fails_with 3 "not what was built: root, block" "$mkappliance" verify libvirt:golden/hello-2 --manifest "$tmp/out/hello-2.manifest.json" &&
		fails_with 1 "virsh -c $uri vol-delete --pool golden hello-2" to_golden "$second" &&
		virsh_do vol-delete --pool golden hello-2
}
check "a byte turned there is found, and the volume is left alone" turned
check "verify: another image's manifest" fails_with 3 "not what was built" \
	"$mkappliance" verify libvirt:golden/hello-1 --manifest "$tmp/out/hello-2.manifest.json"
check "verify: no such volume" fails_with 1 "has no volume 'none'" \
	"$mkappliance" verify libvirt:golden/none --manifest "$tmp/out/hello-2.manifest.json"
check "verify: no POOL/VOLUME" fails_with 2 "is not libvirt:POOL/VOLUME" \
	"$mkappliance" verify libvirt:golden --manifest "$tmp/out/hello-2.manifest.json"
check "verify: of a provider that reads nothing back" fails_with 2 "not read back" \
	"$mkappliance" verify openstack:some --manifest "$tmp/out/hello-2.manifest.json"

# stopped_upload POOL: starts one of hello-2 and stops it while its volume is there and not whole; its number is in $upload. One that ended
# before it was seen is taken away again.
stopped_upload() {
	local i end
	for i in 1 2 3 4 5; do
		"$mkappliance" upload --to libvirt --pool "$1" "$second" --quiet 2>"$tmp/stopped.log" &
		upload=$!
		end=$((SECONDS + 60))
		until [ -s "$tmp/$1/hello-2" ] || [ $SECONDS -gt $end ] || ! kill -0 "$upload" 2>/dev/null; do :; done
		kill -STOP "$upload" && [ -e "$tmp/$1/hello-2.uploading" ] && return
		kill -9 "$upload"
		wait "$upload"
		rm -f "$tmp/$1/hello-2"*
	done 2>/dev/null
	return 1
}
whole() { [ "$(volumes)" = "hello-1 hello-2 " ] && same_bytes "$second" "$tmp/golden/hello-2"; }
interrupted() {
	local status=0
	stopped_upload golden || return
	kill -INT "$upload"
	kill -CONT "$upload"
	wait "$upload" || status=$?
	[ $status -eq 130 ] && [ "$(volumes)" = "hello-1 " ]
}
check "Ctrl-C in the middle leaves no volume" interrupted
killed() {
	stopped_upload golden || return
	kill -9 "$upload"
	wait "$upload" 2>/dev/null
	virsh_do pool-refresh golden && volumes | grep -q 'hello-2 hello-2.uploading' && to_golden "$second" && whole
}
check "killed in the middle, the same command makes it whole" killed
half() {
	virsh_do vol-create-as golden hello-2.uploading 4096 && truncate -s 8M "$tmp/golden/hello-2" && virsh_do pool-refresh golden &&
		to_golden "$second" && whole
}
check "half a volume that an upload left is made anew" half
# The room is gone when half of it is there.
broken_off() {
	local status=0
	stopped_upload small || return
	dd if=/dev/zero of="$tmp/small/filler" bs=64k status=none 2>/dev/null
	kill -CONT "$upload"
	wait "$upload" || status=$?
	[ $status -eq 1 ] && grep -q "volume 'hello-2' of pool 'small': " "$tmp/stopped.log" && [ "$(ls "$tmp/small")" = filler ]
}
check "a pool that becomes full in the middle: no volume stays" broken_off

# ---- refused ----

check "no such pool: those that are there" fails_with 1 "has no storage pool 'default' (it has: " upload "$image"
check "a pool that is not active: how to start it" fails_with 1 "virsh -c $uri pool-start asleep" upload "$image" --pool asleep
check "a pool that is full" fails_with 1 "MiB free, the image needs" upload "$image" --pool small
nothing_there() { [ "$(ls "$tmp/small")" = filler ]; }
check "and nothing was put there" nothing_there
check "nobody at that URI" fails_with 1 "is it the right --connect=URI" \
	upload "$image" --connect "qemu+unix:///system?socket=$tmp/none"
check "no such driver" fails_with 1 "libvirt (nothing:///)" upload "$image" --connect nothing:///
check "LIBVIRT_DEFAULT_URI counts" env LIBVIRT_DEFAULT_URI=nothing:/// bash -c "! '$mkappliance' upload --to libvirt '$image' 2>&1 | grep -v 'libvirt (nothing:///)'"
check "a host without storage" fails_with 1 "has no storage pool" upload "$image" --connect test:///default --pool none
foreign() {
	virsh_do dumpxml --inactive hello | xmllint --xpath '/domain/*[not(self::metadata or self::uuid)]' - >"$tmp/inner" &&
		{ echo "<domain type='qemu'>" && sed 's,<name>hello</name>,<name>foreign</name>,' "$tmp/inner" && echo "</domain>"; } >"$tmp/foreign.xml" &&
		virsh_do define "$tmp/foreign.xml" && fails_with 1 "domain 'foreign' of $uri is not ours" to_golden "$image" --domain foreign &&
		domain_has foreign "//disk[source/@file='$tmp/golden/hello-2']"
}
check "a domain that is not ours is left alone" foreign
check "no such network" fails_with 1 "has no network 'none'" to_golden "$image" --network none
check "a name that is none" fails_with 2 "is no name for libvirt" to_golden "$image" --name ../hello
check "an option of another provider" fails_with 2 "--share means nothing for provider 'libvirt'" to_golden "$image" --share all
check "regions are not of libvirt" fails_with 2 "libvirt has no regions" to_golden "$image" --region here
check "no variables of firmware" fails_with 1 "not a firmware volume" to_golden "$image" --uefi-data "$tmp/foreign.xml"

# ---- Secure Boot ----

signed() {
	mkdir "$tmp/signed" && "$mkappliance" keygen "$tmp/keys" --quiet && "$mkappliance" uefi-vars "$tmp/keys" -o "$tmp/vars.fd" --quiet &&
		{ sed "s,../../build/hello:,$PWD/build/hello:,; s,^Name=.*,Name=signed," templates/hello/appliance.conf &&
			printf '[Sign]\nSecureBootKey=%s\nSecureBootCertificate=%s\n[Upload]\nProvider=libvirt\nPool=golden\n' "$tmp/keys/db.key" "$tmp/keys/db.crt"; } >"$tmp/signed/appliance.conf" &&
		"$mkappliance" build "$tmp/signed" -o "$tmp/out" --version 1 --quiet &&
		"$mkappliance" upload "$tmp/out/signed-1.raw" --uefi-data "$tmp/vars.fd" --quiet &&
		domain_has signed "//os/nvram[starts-with(., '$tmp/golden/signed-')]" && domain_has signed "//smm[@state='on']" &&
		cmp "$tmp/vars.fd" "$tmp"/golden/signed-*.nvram
}
check "a signed image, where the template says: with the keys' variables" signed
secure() {
	start_and_read signed '"event": "verified"' >"$tmp/console" && virsh_do destroy signed &&
		! cmp -s "$tmp/vars.fd" "$tmp"/golden/signed-*.nvram
}
check "it boots with Secure Boot, whose firmware keeps its variables there" secure
