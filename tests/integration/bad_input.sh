#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Whatever is wrong with the input or the machine: the right exit code, one line that says what, where and how to mend, and no
# half-made file in the output, the cache or the temporary directory.
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3

synthetic_inputs "$tmp/in"
mkdir -p "$tmp/out" "$tmp/cache" "$tmp/temporary"
export XDG_CACHE_HOME=$tmp/cache TMPDIR=$tmp/temporary MKAPPLIANCE_INIT=$tmp/in/init
in=$tmp/in out=$tmp/out

# What builds have left. Locks stay in the cache: who removes one may take it from under another build.
left() {
	find "$tmp/out" "$tmp/temporary" "$tmp/cache" ! -name '*.lock' ! -path '*/mkappliance' ! -path '*/layers' | sort
}

# refuses CODE PATTERN COMMAND...: that exit code, nothing on standard output, "mkappliance: PATTERN" (a glob) as the one line on
# standard error, and nothing left.
refuses() {
	local code=$1 pattern=$2 before output status=0
	shift 2
	before=$(left)
	output=$("$@" 2>&1) || status=$?
	if [ "$status" -ne "$code" ]; then
		echo "exit code $status, expected $code: $output"
		return 1
	fi
	# shellcheck disable=SC2053 # a pattern it is
	if [[ $output == *$'\n'* || $output != mkappliance:\ $pattern ]]; then
		printf 'expected: mkappliance: %s\ngot:      %s\n' "$pattern" "$output"
		return 1
	fi
	diff <(echo "$before") <(left)
}

build() {
	"$mkappliance" build "$1" -o "$out" --quiet "${@:2}"
}

# with SED-SCRIPT...: builds the template as these change it.
with() {
	local script=()
	for s; do script+=(-e "$s"); done
	sed "${script[@]}" "$in/appliance.conf" >"$in/bad.conf"
	build "$in/bad.conf"
}

# in_section SECTION LINE...: builds the template with lines added to a section.
in_section() {
	local section=$1 lines
	lines=$(printf '\\n%s' "${@:2}")
	if grep -qx "\[$section\]" "$in/appliance.conf"; then
		with "s|^\[$section\]\$|&$lines|"
	else
		with "1s|^|[$section]$lines\n\n|"
	fi
}

check "what is right is built" build "$in"
rm -r "$out" "${tmp:?}/cache"
mkdir "$out" "$tmp/cache"

# ---- the template ----

line=$(grep -n '^User=' "$in/appliance.conf" | cut -d: -f1)
check "unknown key" refuses 2 "$in/bad.conf:$line: unknown key Usr= in \[Init\]; did you mean 'User'\?" \
	with 's/^User=/Usr=/'
check "key of another section" refuses 2 "$in/bad.conf:*: unknown key User= in \[Kernel\]; did you mean '\[Init\] User'\?" \
	in_section Kernel User=app
check "unknown section" refuses 2 "$in/bad.conf:*: unknown section \[Fils\]; did you mean 'Files'\?" with 's/^\[Files\]/[Fils]/'
check "setting before any section" refuses 2 "$in/bad.conf:1: 'Name=' stands before the first \[Section\]" with '1d'
check "line that is none" refuses 2 "$in/bad.conf:*: 'what' is neither \[Section\] nor Key=value nor a comment" \
	in_section Init what
check "text for a number" refuses 2 "$in/bad.conf:*: CPUs=: 'two' is not a number from 1 to 256" in_section Test CPUs=two
check "number out of range" refuses 2 "$in/bad.conf:*: Get=: *the port is not a number from 1 to 65535" \
	in_section Test Get=http://:99999/
check "not one of the choices" refuses 2 "$in/bad.conf:*: OnCorruption=: 'explode' is not poweroff, reboot or panic" \
	in_section Init OnCorruption=explode
check "system call that is none" refuses 2 "$in/bad.conf:*: SystemCallFilter=*'opennat' is neither a system call nor a set*did you mean 'openat'\?" \
	in_section Init SystemCallFilter=opennat
check "system call filter with new privileges" refuses 2 "$in/bad.conf:*: SystemCallFilter= needs NoNewPrivileges=yes" \
	in_section Init SystemCallFilter=@system-service NoNewPrivileges=no
check "error of a filter that is not there" refuses 2 "$in/bad.conf:*: SystemCallErrorNumber=*only*with SystemCallFilter=*" \
	in_section Init SystemCallErrorNumber=EPERM
check "size without a unit" refuses 2 "$in/bad.conf:*: Memory=: '512' is not a size with its unit (512M, 2G)" \
	in_section Test Memory=512
check "comment behind a value" refuses 2 "$in/bad.conf:*: Mode=: 'appliance # stays PID 1' is not * (a comment needs a line of its own)" \
	with 's/^Mode=.*/& # stays PID 1/'
check "duplicate key" refuses 2 "$in/bad.conf:*: Name= is set already in line 2; remove one of the two" \
	with 's/^Version=.*/&\nName=another/'
check "setting that nothing would read" refuses 2 "$in/bad.conf:*: Suite= works only with Source=debian*; remove the line" \
	in_section Base Suite=bookworm
check "name that is none" refuses 2 "$in/bad.conf:2: Name=: 'An Appliance'*" with 's/^Name=.*/Name=An Appliance/'
check "no name" refuses 2 "$in/bad.conf: \[Appliance\] Name= is missing" with '/^Name=/d'
check "no Exec=" refuses 2 "$in/bad.conf: \[Init\] Exec= is missing: the program to run (or name the package's Unit=, or choose Mode=system)" with '/^Exec=/d'
check "not text" refuses 2 "$in/bad.conf:1: NUL byte in column *; this is not a text file" with '1s/$/\x00/'
check "no such template" refuses 2 "$tmp/nowhere: No such file or directory; a template is a directory that holds appliance.conf, or *" \
	build "$tmp/nowhere"
check "directory without a template" refuses 2 "$tmp/out: no template, it holds no appliance.conf *" build "$tmp/out"
large_template() {
	{ cat "$in/appliance.conf" && head -c 3000000 /dev/zero | tr '\0' '#'; } >"$in/bad.conf"
	build "$in/bad.conf"
}
check "template of 3 MB" refuses 2 "$in/bad.conf: larger than 1048576 bytes; this is not a template" large_template
check "bad --version" refuses 2 "--version: '../1' is not a version of *" build "$in" --version=../1
bad_epoch() {
	SOURCE_DATE_EPOCH=yesterday build "$in"
}
check "bad SOURCE_DATE_EPOCH" refuses 2 "SOURCE_DATE_EPOCH of the environment: 'yesterday' is not a number*" bad_epoch

# ---- what the template names ----

check "missing file in Copy=" refuses 2 "$in/bad.conf:*: Copy=: '$in/nothing': No such file or directory" \
	in_section Files Copy=nothing:/srv/x
check "owner in Copy= that the image does not know" refuses 2 "*bad.conf:*: Copy=: owner 'nobody': is not in /etc/passwd of the image" \
	in_section Files 'Copy=page:/srv/x owner=nobody'
check "Copy= onto a directory" refuses 2 "*bad.conf:*: Copy=: '/srv' is a directory in the image; *" in_section Files Copy=page:/srv
check "missing package" refuses 2 "$in/bad.conf:*: Path=: '$in/x.deb': No such file or directory" in_section Package Path=x.deb
check "missing base" refuses 2 "$in/bad.conf:*: Path=: '$in/x': No such file or directory" with 's/^Path=base/Path=x/'
check "base that is no directory" refuses 2 "$in/bad.conf:*: Path=: '$in/page' is a file, a directory was expected" with 's/^Path=base/Path=page/'
check "missing kernel" refuses 2 "$in/bad.conf:*: Image=: '$in/nothing': No such file or directory" with 's/^Image=.*/Image=nothing/'
check "kernel that is none" refuses 1 "kernel $in/page: not an EFI kernel (it needs CONFIG_EFI_STUB): not a PE file: it does not begin with MZ" with 's/^Image=.*/Image=page/'
head -c 100 "$in/vmlinuz" >"$in/short"
check "kernel that is cut off" refuses 1 "kernel $in/short: not an EFI kernel (it needs CONFIG_EFI_STUB): not a PE file: no PE header behind the MZ header" with 's/^Image=.*/Image=short/'
check "missing stub" refuses 2 "$in/bad.conf:*: Stub=: '$in/nothing': No such file or directory" with 's/^Stub=.*/Stub=nothing/'
check "stub that is none" refuses 1 "$in/page: *" with 's/^Stub=.*/Stub=page/'
check "module that does not exist" refuses 2 "$in/bad.conf: \[Kernel\] InitrdModules=: kernel 6.1.0-test has no module 'flux_capacitor'" \
	in_section Kernel InitrdModules=flux_capacitor
check "modules without modules.dep" refuses 1 "kernel *: no modules.dep; run 'depmod *" \
	with 's|^ModulesDirectory=.*|ModulesDirectory=base|'
check "Exec= that is not in the image" refuses 2 "$in/bad.conf: \[Init\] Exec=: '/usr/bin/nothing' is not in the image; *" with 's|^Exec=.*|Exec=/usr/bin/nothing|'
check "Exec= that is not executable" refuses 2 "$in/bad.conf: \[Init\] Exec=: '/etc/passwd' has mode 0644 *cannot run it" with 's|^Exec=.*|Exec=/etc/passwd|'
check "Exec= that is a directory" refuses 2 "$in/bad.conf: \[Init\] Exec=: '/usr' is not a regular file in the image" with 's|^Exec=.*|Exec=/usr|'
check "relative Exec=" refuses 2 "$in/bad.conf:*: Exec=: 'application'*" with 's|^Exec=.*|Exec=application|'
check "User= that is not in the image" refuses 2 "$in/bad.conf: \[Init\] User=nobody: /etc/passwd of the image has no such user" \
	with 's/^User=.*/User=nobody/'
check "Group= that is not in the image" refuses 2 "$in/bad.conf: \[Init\] Group=nobody: /etc/group of the image has no such group" \
	in_section Init Group=nobody
check "WorkingDirectory= that is not in the image" refuses 2 "$in/bad.conf: \[Init\] WorkingDirectory=: the directory '/nothing' is not in the image" \
	in_section Init WorkingDirectory=/nothing
check "no init" refuses 1 "$tmp/nowhere: the init is needed ('make' builds it; MKAPPLIANCE_INIT= names another): *" \
	env MKAPPLIANCE_INIT="$tmp/nowhere" "$mkappliance" build "$in" -o "$out" --quiet
check "init that is no program" refuses 1 "$in/page: not an ELF program, so it cannot be the init" \
	env MKAPPLIANCE_INIT="$in/page" "$mkappliance" build "$in" -o "$out" --quiet

printf '\177ELF\2\1\1%011d\267\0' 0 >"$in/arm64"
check "init for another machine" refuses 1 "$in/arm64: an init for another machine than Architecture=x86_64 (MKAPPLIANCE_INIT= names another)" \
	env MKAPPLIANCE_INIT="$in/arm64" "$mkappliance" build "$in" -o "$out" --quiet

# ---- archives ----

mkdir "$in/bad"
python3 - "$in/bad" <<'PY'
import gzip, io, os, sys, tarfile

os.chdir(sys.argv[1])


def member(name, type=tarfile.REGTYPE, content=b"", **more):
    m = tarfile.TarInfo(name)
    m.type = type
    m.size = len(content)
    for key, value in more.items():
        setattr(m, key, value)
    return m, content


def tar(name, *members, mode="w", **more):
    with tarfile.open(name, mode, format=tarfile.PAX_FORMAT, **more) as t:
        for m, content in members:
            t.addfile(m, io.BytesIO(content))


good = member("srv/good", content=b"good\n" * 1000)
LINK, SYMLINK = tarfile.LNKTYPE, tarfile.SYMTYPE
tar("good.tar", good)
tar("absolute.tar", good, member("/etc/shadow", content=b"root::"))
tar("dotdot.tar", good, member("srv/../../etc/shadow", content=b"root::"))
tar("symlink.tar", member("srv/out", SYMLINK, linkname="/etc"), member("srv/out/shadow", content=b"root::"))
tar("hardlink.tar", good, member("srv/out", LINK, linkname="../../etc/shadow"))
tar("hardlink-absolute.tar", good, member("srv/out", LINK, linkname="/etc/shadow"))
tar("dangling.tar", good, member("srv/out", LINK, linkname="srv/nothing"))
tar("below-file.tar", good, member("srv/good/below", content=b"x"))
tar("root-link.tar", member(".", SYMLINK, linkname="/"))
tar("device.tar", member("dev/x", tarfile.BLKTYPE, devmajor=2**20, devminor=1))
tar("long-name.tar", member("srv/" + "x" * 256))
tar("nul.tar", member("srv/x", pax_headers={"path": "srv/x\0y"}))
tar("huge-id.tar", member("srv/x", pax_headers={"uid": str(2**40)}))
tar("bad-pax.tar", member("srv/x", pax_headers={"size": "-1"}))
tar("xattrs.tar", member("srv/x", pax_headers={f"SCHILY.xattr.user.{i}": "x" for i in range(2000)}))
# Empty on the disk, 4 EiB in the image.
tar("sparse.tar", member("srv/x", pax_headers={"GNU.sparse.map": "0,0", "GNU.sparse.size": str(2**62), "GNU.sparse.name": "srv/x"}))
tar("sparse-map.tar", member("srv/x", content=b"x" * 512, pax_headers={"GNU.sparse.map": f"{2**62},{2**62},0,512", "GNU.sparse.size": "1024"}))

data = open("good.tar", "rb").read()
open("cut.tar", "wb").write(data[:3000])
open("no-end.tar", "wb").write(data[:512 + 5120])
open("garbage.tar", "wb").write(data[:512 + 5120] + os.urandom(2048))
open("claims.tar", "wb").write(member("srv/x", size=2**62)[0].tobuf(tarfile.GNU_FORMAT) + bytes(1024))
packed = gzip.compress(data, mtime=0)
open("cut.tar.gz", "wb").write(packed[:len(packed) // 2])
flipped = bytearray(packed)
flipped[-6] ^= 1
open("damaged.tar.gz", "wb").write(flipped)
open("not-a.tar.gz", "wb").write(gzip.compress(b"no tar\n" * 1000, mtime=0))
open("empty.tar", "wb").close()
open("text.deb", "wb").write(b"not a package\n")
# 64 MiB of zeros for 64 KiB, behind a good beginning.
with gzip.GzipFile("bomb.tar.gz", "wb", mtime=0) as f:
    f.write(data)
    for i in range(64):
        f.write(bytes(1 << 20))


def ar(name, *members):
    with open(name, "wb") as f:
        f.write(b"!<arch>\n")
        for member, content in members:
            f.write(b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (member.encode(), 0, 0, 0, 0o100644, len(content)))
            f.write(content + b"\n" * (len(content) % 2))


def control(text):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as t:
        m, content = member("./control", content=text.encode())
        t.addfile(m, io.BytesIO(content))
    return out.getvalue()


text = "Package: x\nVersion: 1\nArchitecture: amd64\nDescription: x\n"
ar("no-data.deb", ("debian-binary", b"2.0\n"), ("control.tar.gz", control(text)))
ar("no-control.deb", ("debian-binary", b"2.0\n"), ("data.tar.gz", packed))
ar("bad-control.deb", ("debian-binary", b"2.0\n"), ("control.tar.gz", control("nothing of the kind\n")), ("data.tar.gz", packed))
ar("arm64.deb", ("debian-binary", b"2.0\n"), ("control.tar.gz", control(text.replace("amd64", "arm64"))), ("data.tar.gz", packed))
ar("cut-data.deb", ("debian-binary", b"2.0\n"), ("control.tar.gz", control(text)), ("data.tar.gz", packed[:50]))
ar("evil.deb", ("debian-binary", b"2.0\n"), ("control.tar.gz", control(text)), ("data.tar", open("dotdot.tar", "rb").read()))
PY

# package PATTERN FILE CODE: refused as a package, and with the same words as a base.
package() {
	refuses "${3:-1}" "$in/bad/$2: $1" in_section Package "Path=bad/$2" &&
		refuses "${3:-1}" "$in/bad/$2: $1" with 's/^Source=.*/Source=tar/' "s|^Path=.*|Path=bad/$2|"
}
as_package() {
	refuses "${3:-1}" "*$in/bad/$2*$1" in_section Package "Path=bad/$2"
}

kinds="is neither a tar (plain, gz, zst, xz, bz2) nor a .deb nor a directory"
check "package that is none" package "$kinds" text.deb 2
check "empty archive" package "$kinds" empty.tar 2
check "absolute path" package "member '/etc/shadow' has an absolute path" absolute.tar
check "'..' in a path" package "member 'srv/../../etc/shadow' has '..' in its path" dotdot.tar
check "file through a link of the archive" package \
	"member 'srv/out/shadow' goes through a symbolic link of the same archive" symlink.tar
check "hard link out of the archive" package "member 'srv/out' is a hard link to a path out of the archive" hardlink.tar
check "hard link to an absolute path" package "member 'srv/out' is a hard link to a path out of the archive" hardlink-absolute.tar
check "hard link to nothing" package "member 'srv/out' is a hard link to 'srv/nothing', which is not there" dangling.tar
check "file below a file" package "member 'srv/good/below' lies below something that is not a directory" below-file.tar
check "root that is a link" package "member '.' would replace the root directory" root-link.tar
check "device with a number that is none" package "member 'dev/x' is a device with a number that Linux does not have" device.tar
check "name of 256 bytes" package "member *xx' has a name of more than 255 bytes" long-name.tar
check "NUL in a name" package "member 'srv/x' has a name with a NUL byte in it" nul.tar
check "owner over 32 bits" package "member 'srv/x' has an owner or group over 4294967294" huge-id.tar
check "damaged pax header" package "*pax keyword 'size' has a value that it cannot have" bad-pax.tar
check "2000 attributes" package "*pax keyword 'SCHILY.xattr.*" xattrs.tar
check "file of 4 EiB" refuses 1 "root file system: /srv/x: larger than the 16 TiB that ext4 can hold" \
	in_section Package Path=bad/sparse.tar
check "sparse map beyond the file" package "member 'srv/x' *sparse*" sparse-map.tar
check "truncated in a file" package "member 'srv/good' is cut off: the archive is truncated" cut.tar
check "truncated between files" package "ends at byte 5632 without an end mark: truncated" no-end.tar
check "garbage behind a file" package "no tar header at byte 5632 (damaged, or not a tar archive)" garbage.tar
check "size beyond the archive" package "member 'srv/x' is cut off: the archive is truncated" claims.tar
check "truncated gzip" package "decompressing: the gzip data is truncated" cut.tar.gz
check "gzip with a wrong checksum" package "decompressing: incorrect data check" damaged.tar.gz
check "compressed, but no tar" package "no tar header at byte 0 (damaged, or not a tar archive)" not-a.tar.gz
check ".deb without data" as_package "is not a Debian package: data.tar is missing" no-data.deb
check ".deb without control" as_package "is not a Debian package: control.tar is missing" no-control.deb
check ".deb whose control file is none" as_package "*" bad-control.deb
in_section Package Path=bad/arm64.deb >"$tmp/log" 2>&1 # a sound layer, which the cache keeps
check ".deb for another architecture" as_package "is for arm64, the appliance is amd64" arm64.deb 2
check ".deb whose data is truncated" as_package "data.tar.gz: decompressing: the gzip data is truncated" cut-data.deb
check ".deb with '..' in a path" as_package "member 'srv/../../etc/shadow' has '..' in its path" evil.deb
check ".deb as a base" refuses 2 "$in/bad/arm64.deb: is a package, not a base; put it into \[Package\] Path=" \
	with 's/^Source=.*/Source=tar/' 's|^Path=.*|Path=bad/arm64.deb|'
check "checksum of the base" refuses 3 "$in/bad/good.tar: its SHA-256 is *, \[Base\] Checksum= says sha256:0*" \
	with 's/^Source=.*/Source=tar/' "s|^Path=.*|Path=bad/good.tar\nChecksum=sha256:$(printf '0%.0s' {1..64})|"

# ---- a disk that is full, or not to be written to ----

# with_mounts COMMAND...: in a name space of its own, where "mount" is allowed and ends with it.
if unshare -m true 2>/dev/null; then
	with_mounts() { unshare -m "$@"; }
elif unshare -rm true 2>/dev/null; then
	with_mounts() { unshare -rm "$@"; }
else
	with_mounts() { return 77; }
fi
export -f left refuses
export mkappliance tmp in out

# on_small DIRECTORY SIZE CODE PATTERN COMMAND...: refuses, with a file system of that size on the directory.
on_small() {
	# shellcheck disable=SC2016 # for the inner shell
	with_mounts bash -c 'mount -t tmpfs -o "size=$2" small "$1" && shift 2 && refuses "$@"' - "$@"
}

full="no space left on the disk; free some or choose another directory"
if with_mounts true; then
	check "disk full: output" on_small "$out" 2m 1 "$out/synthetic-1.0.raw: $full" "$mkappliance" build "$in" -o "$out" --quiet
	check "disk full: output, at the last moment" on_small "$out" 4700k 1 "$out/synthetic-1.0.*: *$full" \
		"$mkappliance" build "$in" -o "$out" --quiet
	sed 's|^\[Files\]|[Package]\nPath=bad/bomb.tar.gz\n\n&|' "$in/appliance.conf" >"$in/bomb.conf"
	check "disk full: cache, by a bomb" on_small "$tmp/cache" 8m 1 "$in/bad/bomb.tar.gz: $full" \
		"$mkappliance" build "$in/bomb.conf" -o "$out" --quiet
	check "output that is read only" on_small "$out" 2m,ro 1 "$out: creating a file there: Read-only file system" \
		"$mkappliance" build "$in" -o "$out" --quiet
	check "cache that is read only" on_small "$tmp/cache" 2m,ro 1 "cache: $tmp/cache/mkappliance: creating the directory: Read-only *" \
		"$mkappliance" build "$in" -o "$out" --quiet
	hidden=/usr/lib/systemd/boot/efi
	if [ -d "$hidden" ]; then
		sed '/^Stub=/d' "$in/appliance.conf" >"$in/no-stub.conf"
		check "no stub installed" on_small "$hidden" 1m 1 "$hidden/*: the systemd-stub is needed: apt-get install systemd-boot-efi, or *" \
			"$mkappliance" build "$in/no-stub.conf" -o "$out" --quiet
	else
		check_skip "no stub installed" "$hidden is not here to be hidden"
	fi
else
	check_skip "disk full, read only, no stub: 6 checks" "no mount name space for this user"
fi
limited() {
	(ulimit -f 1024 && build "$in")
}
check "limit of the file size" refuses 1 "$out/synthetic-1.0.raw: *File too large" limited
check "output that is a file" refuses 1 "$in/page: *" "$mkappliance" build "$in" -o "$in/page" --quiet
mkdir -p "$out/taken/synthetic-1.0.raw"
check "image's name is taken by a directory" refuses 1 "$out/taken/synthetic-1.0.raw: is a directory, a file was to be written there" \
	"$mkappliance" build "$in" -o "$out/taken" --quiet
rm -r "$out/taken"
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	install -m 755 "$mkappliance" "$tmp/mkappliance"
	install -d -m 777 "$tmp/cache/user"
	check "output that belongs to another" refuses 1 "$out: creating a file there: Permission denied" \
		setpriv --reuid=65534 --regid=65534 --clear-groups "$tmp/mkappliance" build "$in" -o "$out" --cache="$tmp/cache/user" --quiet
else
	check_skip "output that belongs to another" "needs root to become somebody else"
fi

# ---- what is not installed ----

debian() {
	sed -e 's/^Source=.*/Source=debian\nSuite=bookworm/' -e '/^Path=/d' -e '/^Image=/d' -e '/^ModulesDirectory=/d' \
		"$in/appliance.conf" >"$in/debian.conf"
	"$@" "$mkappliance" build "$in/debian.conf" -o "$out" --quiet
}
check "no mmdebstrap" refuses 1 "base bookworm: 'mmdebstrap' is not installed (apt-get install mmdebstrap)" debian env PATH=/nowhere
offline() { "$mkappliance" build "$in/debian.conf" -o "$out" --quiet --offline; }
check "--offline without a cached layer" refuses 1 \
	"base bookworm: is not in the cache, and fetching it was forbidden (--offline)" offline

# ---- a build that is killed ----

# killed SIGNAL SYSTEM-CALL N: dies at the N-th such call. Nothing may be left but whole layers, and the next build works.
killed() {
	local before status=0 message
	before=$(left)
	message=$(strace -f -qq -o /dev/null -e "inject=$2:signal=$1:when=$3" "$mkappliance" build "$in" -o "$out" --quiet 2>&1) || status=$?
	case $1 in
	KILL) [ $status -eq 137 ] ;;
	*) [ $status -eq 130 ] && [ "$message" = "mkappliance: interrupted" ] ;;
	esac || {
		echo "exit code $status: $message"
		return 1
	}
	diff <(echo "$before") <(left)
}
if command -v strace >/dev/null && strace -qq -o /dev/null true 2>/dev/null; then
	for call in getdents64:9 ftruncate:1 pwrite64:1 pwrite64:5 fsync:1 fsync:3 linkat:1; do
		check "killed at ${call/:/ }" killed KILL "${call%:*}" "${call#*:}"
	done
	for call in getdents64:9 ftruncate:1; do
		check "Ctrl-C at ${call/:/ }" killed INT "${call%:*}" "${call#*:}"
	done
else
	check_skip "killed or interrupted at a system call: 9 checks" "strace is not installed (apt-get install strace) or not allowed"
fi

# Between two of its names: those that are there are whole, and the image comes last.
killed_between() {
	strace -f -qq -o /dev/null -e inject=linkat:signal=KILL:when="$1" "$mkappliance" build "$in" -o "$out" --quiet
	[ ! -e "$out/synthetic-1.0.raw" ] || "$mkappliance" verify "$out/synthetic-1.0.raw" --quiet || return
	[ -z "$(find "$out" -name '*.part')" ] && build "$in" && "$mkappliance" verify "$out/synthetic-1.0.raw" --quiet && rm "$out"/*
}
# While the files of an older build get their new content, at the N-th: each is the old one or the new one, whole, and those that
# do not belong together are refused.
killed_over_old() {
	local f old=$tmp/old-build new=$tmp/new-build status=0
	rm -rf "$old" "$new" && printf 'another page\n' >"$in/page" && "$mkappliance" build "$in" -o "$new" --quiet &&
		printf 'a page\n' >"$in/page" && "$mkappliance" build "$in" -o "$old" --quiet && cp "$old"/* "$out/" || return
	printf 'another page\n' >"$in/page"
	strace -f -qq -o /dev/null -e inject=rename:signal=KILL:when="$1" "$mkappliance" build "$in" -o "$out" --quiet
	printf 'a page\n' >"$in/page"
	for f in "$out"/synthetic-1.0.*[!t]; do # not what is on its way, *.part
		same_bytes "$f" "$old/${f##*/}" 2>/dev/null || same_bytes "$f" "$new/${f##*/}" || return
	done
	"$mkappliance" verify "$out/synthetic-1.0.raw" >"$tmp/verdict" 2>&1 || status=$?
	cat "$tmp/verdict"
	if [ $status -ne "$2" ] || ! grep -q "$3" "$tmp/verdict"; then
		echo "exit code $status, expected $2 and '$3'"
		return 1
	fi
	"$mkappliance" build "$in" -o "$out" --quiet && "$mkappliance" verify "$out/synthetic-1.0.raw" --quiet && rm "$out"/*
}
full_at() {
	refuses 1 "$out/synthetic-1.0.*: $full" \
		strace -f -qq -o /dev/null -e "inject=$1:error=ENOSPC:when=$2" "$mkappliance" build "$in" -o "$out" --quiet
}
if command -v strace >/dev/null && strace -qq -o /dev/null true 2>/dev/null; then
	# The image gets its name last, the manifest before it; how many stand beside them is not said here.
	build "$in" && names=$(find "$out" -name 'synthetic-1.0.*' | wc -l) && rm "$out"/*
	check "killed before the manifest" killed_between $((names - 1))
	check "killed between manifest and image" killed_between "$names"
	check "killed over an older build, at its first file" killed_over_old 1 0 .
	check "killed over an older build, before the manifest: new statement, old image" killed_over_old $((names - 1)) 3 "is of another manifest than"
	check "killed over an older build: new manifest, old image" killed_over_old "$names" 3 'DIFFERS'
	check "disk full, told by an fsync" full_at fsync 7
else
	check_skip "killed over an older build, disk full at fsync: 6 checks" "strace is not installed (apt-get install strace) or not allowed"
fi

# A package manager of ours that takes its time, and mounts something, as the real one does.
mkdir "$tmp/bin"
cat >"$tmp/bin/mmdebstrap" <<-END
	#!/bin/sh
	trap 'kill \$!; exit 1' INT TERM
	mkdir "\$TMPDIR/mounted" && mount -t tmpfs of-the-manager "\$TMPDIR/mounted"
	echo half
	sleep 308.$$ &
	touch "$TMPDIR/works"
	wait
END
chmod 755 "$tmp/bin/mmdebstrap"
no_manager() { ! pgrep -f "^sleep 308\.$$\$" >/dev/null && ! grep -q ^of-the-manager /proc/mounts; }

# interrupted SIGNAL CODE MESSAGE: while the package manager works; it must end too, and what it mounted go with it. What a killed
# build could not remove, a scratch directory, the next one removes.
interrupted() {
	local before pid status=0 message
	before=$(left)
	PATH=$tmp/bin:$PATH debian exec 2>"$tmp/log" &
	pid=$!
	comes test -e "$TMPDIR/works"
	kill -"$1" "$pid"
	wait "$pid" || status=$?
	comes no_manager || {
		echo "mmdebstrap still runs, or what it mounted is there"
		grep ^of-the-manager /proc/mounts
		return 1
	}
	rm "$TMPDIR/works"
	message=$(grep -v Killed "$tmp/log")
	if [ $status -ne "$2" ] || [ "$message" != "$3" ]; then
		echo "exit code $status: $message"
		return 1
	fi
	diff <(echo "$before") <(left | grep -v '/temporary/mkappliance-lists-')
}
if [ "$(id -u)" -eq 0 ] && can_sandbox; then
	check "Ctrl-C while the package manager works" interrupted INT 130 "mkappliance: base bookworm: interrupted"
	check "SIGTERM while the package manager works" interrupted TERM 143 "mkappliance: base bookworm: interrupted"
	check "killed while the package manager works" interrupted KILL 137 ""
else
	check_skip "interrupted while the package manager works: 3 checks" "needs root, and a root directory that is a mount point"
fi

failing() {
	printf '#!/bin/sh\necho half\necho "E: Unable to locate package nothing" >&2\necho "E: apt-get failed" >&2\nexit 1\n' >"$tmp/bin/mmdebstrap"
	PATH=$tmp/bin:$PATH debian env
}
if [ "$(id -u)" -eq 0 ]; then
	failing 2>/dev/null
	check "what the killed one left is gone" test -z "$(left | grep '/temporary/')"
	check "package manager that fails" refuses 1 "base bookworm: mmdebstrap: Unable to locate package nothing" failing
fi

# A directory that somebody has locked, as cron jobs do (flock DIRECTORY mkappliance build ...): it waits, and says for what.
locked_directory() {
	local pid status=0
	mkfifo "$tmp/hold" && { flock "$out" cat "$tmp/hold" & } && exec 8>"$tmp/hold" || return
	"$mkappliance" build "$in" -o "$out" >"$tmp/log" 2>&1 8>&- &
	pid=$!
	comes grep -q "^$out: locked by another build, or by another program (flock); waiting" "$tmp/log" && [ ! -e "$out/synthetic-1.0.raw" ] || status=1
	exec 8>&-
	wait $pid && [ $status -eq 0 ] && "$mkappliance" verify "$out/synthetic-1.0.raw" --quiet && rm "$out"/*
}
check "output directory that is locked" locked_directory

# ---- images that are not ours ----

build "$in"
image=$out/synthetic-1.0.raw
cp "$in/vmlinuz" "$out/other.raw"
: >"$out/empty.raw"
for command in verify boot test; do
	check "$command: no manifest" refuses 1 "$out/other.raw: *manifest*" "$mkappliance" $command "$out/other.raw" --quiet
	check "$command: no such image" refuses 1 "$out/nothing.raw: No such file or directory" "$mkappliance" $command "$out/nothing.raw" --quiet
done
cp "${image%.raw}.manifest.json" "$out/other.manifest.json"
cp "${image%.raw}.manifest.json" "$out/empty.manifest.json"
for command in verify boot test; do
	check "$command: manifest of another image" refuses 3 "$out/other.raw: *" "$mkappliance" $command "$out/other.raw" --quiet
	check "$command: empty image" refuses 3 "$out/empty.raw: *" "$mkappliance" $command "$out/empty.raw" --quiet
done
head -c 1000 "${image%.raw}.manifest.json" >"$out/other.manifest.json"
echo '{"format": 999}' >"$out/empty.manifest.json"
for command in verify boot test; do
	check "$command: truncated manifest" refuses 3 "*$out/other.manifest.json:*: not valid JSON: *" "$mkappliance" $command "$out/other.raw" --quiet
	check "$command: manifest of another format" refuses 3 "*$out/empty.manifest.json: 'format' is 999, *" "$mkappliance" $command "$out/empty.raw" --quiet
done

if "$mkappliance" inspect --help >/dev/null 2>&1; then
	check "inspect: not an image" refuses 1 "$out/other.raw: has no GPT partition table, so it is no image of ours" "$mkappliance" inspect "$out/other.raw" --quiet
	check "inspect: empty" refuses 1 "$out/empty.raw: has no GPT partition table, so it is no image of ours" "$mkappliance" inspect "$out/empty.raw" --quiet
	check "inspect: no such image" refuses 1 "$out/nothing.raw: No such file or directory" "$mkappliance" inspect "$out/nothing.raw" --quiet
	check "inspect: a directory" refuses 1 "$out: is neither a file nor a block device" "$mkappliance" inspect "$out" --quiet
	check "inspect: nowhere to put the checksums" refuses 1 "/nonexistent/mkappliance-inspect-*: creating a directory there: No such file or directory" \
		env TMPDIR=/nonexistent "$mkappliance" inspect "$image" --files --checksums --quiet
else
	check_skip "inspect: 5 checks" "built without libguestfs"
fi

# ---- virtual machines ----

if "$mkappliance" boot --help >/dev/null 2>&1; then
	for command in boot test; do
		check "$command: no qemu" refuses 1 "'qemu-system-x86_64' is not installed (apt-get install qemu-system-x86)" \
			env PATH=/nowhere "$mkappliance" $command "$image" --quiet
		if [ -d /usr/share/OVMF ] && with_mounts true; then
			check "$command: no OVMF" on_small /usr/share/OVMF 1m 1 "no UEFI firmware for virtual machines: * (apt-get install ovmf)" \
				"$mkappliance" $command "$image" --quiet
		else
			check_skip "$command: no OVMF" "it is not here to be hidden, or there is no mount name space for this user"
		fi
	done
	python3 -c '
import socket, time
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
time.sleep(300)' >"$tmp/port" &
	listener=$!
	comes test -s "$tmp/port"
	port=$(cat "$tmp/port")
	check "boot: port in use" refuses 1 "port $port of 127.0.0.1 is in use; choose another one (--forward=HOST:GUEST)" \
		"$mkappliance" boot "$image" --forward="$port:80" --quiet
	kill $listener
	check "test: a report where none can be written" refuses 1 "/nonexistent: creating a file there: No such file or directory" \
		"$mkappliance" test "$image" --junit=/nonexistent/report.xml --quiet
	check "boot: a timeline where none can be written" refuses 1 "/nonexistent: creating a file there: No such file or directory" \
		"$mkappliance" boot "$image" --timeline=/nonexistent/boot.svg --quiet
	check "drill: a report where none can be written" refuses 1 "/nonexistent: creating a file there: No such file or directory" \
		"$mkappliance" drill --group none --report=/nonexistent/report.json --quiet
	check "boot: --forward that is none" refuses 2 "--forward: '80' is not HOST:GUEST, two ports from 1 to 65535" \
		"$mkappliance" boot "$image" --forward=80 --quiet
	check "boot: libvirt that does not answer" refuses 1 "libvirt (qemu+unix:///system?socket=/nowhere): *" \
		"$mkappliance" boot "$image" --connect='qemu+unix:///system?socket=/nowhere' --quiet
else
	check_skip "boot and test: 8 checks" "built without libvirt"
fi

# ---- the command line ----

check "unknown command" refuses 2 "unknown command 'biuld' (see 'mkappliance --help')" "$mkappliance" biuld
check "unknown option" refuses 2 "*--offlin*" "$mkappliance" build --offlineX "$in"
check "no template" refuses 2 "*" "$mkappliance" build --quiet
# A variable of the shell that is not set: as a directory of the cache it would be /.
check "option with an empty value" refuses 2 "option '--cache' has an empty value; leave it out to get the default" build "$in" --cache ""
check "option with an empty value behind '='" refuses 2 "option '--output' has an empty value; *" "$mkappliance" build "$in" --output=
standard_output_full() {
	local status=0
	"$@" >/dev/full 2>"$tmp/log" || status=$?
	[ $status -eq 1 ] && [ "$(tail -n 1 "$tmp/log")" = "mkappliance: standard output is full or closed" ]
}
check "standard output is full: build" standard_output_full "$mkappliance" build "$in" -o "$out"
check "standard output is full: verify" standard_output_full "$mkappliance" verify "$out/synthetic-1.0.raw"
check "standard output is full: help" standard_output_full "$mkappliance" --help
# A file must not get the number of a closed stream, to which messages go.
streams_closed() {
	local status=0
	mkdir "$out/closed"
	"$mkappliance" build "$in" -o "$out/closed" <&- >&- 2>&- || status=$?
	[ $status -eq 1 ] && same_bytes "$out/synthetic-1.0.raw" "$out/closed/synthetic-1.0.raw" &&
		"$mkappliance" verify "$out/closed/synthetic-1.0.raw" --quiet
}
check "standard streams are closed" streams_closed
