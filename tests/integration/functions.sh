# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What every integration test begins with:
#
#   . "$(dirname "$0")/functions.sh"
#   requires sfdisk fdisk               program, and the Debian package that has it
#   check "name of the check" command   one line each: "ok NAME" or "not ok NAME" and what the command said
#
# Commands inside a function that is checked are joined by "&&": the shell ignores "set -e" there.
# $tmp is a directory of the test's own that goes away with it; the working directory is the root of the project.
# A test ends by its last line; its exit code is 0, 1 when a check failed, 77 when it was skipped.

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

# The program under test. MKAPPLIANCE=... tests another one than build/mkappliance.
mkappliance=$(realpath -m "${MKAPPLIANCE:-build/mkappliance}")
export LC_ALL=C
unset SOURCE_DATE_EPOCH MKAPPLIANCE_INIT PYTHONUNBUFFERED

failed=0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/mkappliance-test.XXXXXX") || exit 1
chmod 755 "$tmp"

remove_tmp() {
	chmod -R u+rwX "$tmp" 2>/dev/null
	rm -rf "$tmp"
}
cleanup_functions=(remove_tmp)

# Runs a function of the test's own when it ends, before $tmp goes.
at_exit() {
	cleanup_functions=("$1" "${cleanup_functions[@]}")
}

finish() {
	local status=$? f
	for f in "${cleanup_functions[@]}"; do "$f"; done
	[ $status -ne 0 ] || status=$failed
	exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

skip() {
	echo "skip $(basename "$0" .sh): $*"
	exit 77
}

# requires PROGRAM [PACKAGE]
requires() {
	command -v "$1" >/dev/null || skip "$1 is not installed (apt-get install ${2:-$1})"
}

# Package managers run in name spaces of their own; in a chroot whose root is no mount point root cannot make them.
can_sandbox() {
	[ "$(id -u)" -ne 0 ] || unshare --mount mount --make-rprivate / 2>/dev/null
}
requires_sandbox() {
	can_sandbox || skip "no sandbox here: the root directory is no mount point"
}

check() {
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then
		echo "ok $name"
	else
		echo "not ok $name"
		printf '%s\n' "$output" | tail -n 20 | sed 's/^/    /'
		failed=1
		return 1
	fi
}

# check_skip NAME WHY: a check that this machine cannot do, counted.
check_skip() {
	echo "skip $1: $2"
}

# gone PID: once that process, which this test started, has ended. 'wait' knows no process of another shell, and check runs one.
gone() {
	timeout 120 tail --pid="$1" -s 0.1 -f /dev/null && return
	echo "process $1 has not ended within 120 s: $(tr '\0' ' ' <"/proc/$1/cmdline")"
	return 1
}

# free_port: a port of 127.0.0.1 that nobody has, nor any other test was given lately. Below those that the kernel gives away. The counter is
# the same for all, whatever becomes of TMPDIR in one.
ports=${TMPDIR:-/tmp}/mkappliance-test-ports.$(id -u)
free_port() {
	python3 - "$ports" <<-'PY'
		import fcntl, os, socket, sys
		first, last = 20000, 32000
		with os.fdopen(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+") as f:
		    fcntl.flock(f, fcntl.LOCK_EX)
		    port = int(f.read() or first)
		    while True:
		        port = port + 1 if port < last else first
		        try:
		            socket.create_server(("127.0.0.1", port)).close()
		            break
		        except OSError:
		            pass
		    f.seek(0)
		    f.truncate()
		    f.write(str(port))
		    print(port)
	PY
}

# within SECONDS COMMAND...: what has not ended by then hangs: it fails, with a table of its processes.
within() {
	local limit=$1 pid
	shift
	"$@" &
	pid=$!
	if ! timeout "$limit" tail --pid=$pid -s 0.1 -f /dev/null; then
		echo "it has not ended within $limit s; its processes:"
		# shellcheck disable=SC2016 # for awk
		ps -eo pid,ppid,user:16,stat,etimes,wchan:24,args --forest | awk -v root=$pid '$1 == root || $2 in seen { seen[$1]; print }'
		kill -TERM $pid
		timeout 30 tail --pid=$pid -s 0.1 -f /dev/null || kill -KILL $pid
	fi
	wait $pid
}

# comes COMMAND...: waits until it succeeds, two minutes at most; what runs beside this makes everything late.
comes() {
	local end=$((SECONDS + 120))
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# fails_with CODE TEXT COMMAND...: the command must end with that exit code and say TEXT on a line that begins with "mkappliance: ".
fails_with() {
	local code=$1 text=$2 output status=0
	shift 2
	output=$("$@" 2>&1 >/dev/null) || status=$?
	if [ "$status" -ne "$code" ]; then
		echo "exit code $status, expected $code: $output"
		return 1
	fi
	grep -F "mkappliance: " <<<"$output" | grep -qF -- "$text" && return
	echo "expected '$text' in: $output"
	return 1
}

# same_bytes FILE FILE: as cmp does, but what is a hole in both, and so zero, is not read: most of an image is.
same_bytes() {
	python3 - "$1" "$2" <<-'PY'
		import os, sys
		files = [os.open(path, os.O_RDONLY) for path in sys.argv[1:]]
		size, other = (os.fstat(f).st_size for f in files)
		if size != other:
		    sys.exit("%s has %d bytes, %s %d" % (sys.argv[1], size, sys.argv[2], other))
		def data(f, at):
		    try:
		        return os.lseek(f, at, os.SEEK_DATA)
		    except OSError: # nothing but a hole behind it
		        return size
		at = min(data(f, 0) for f in files)
		while at < size:
		    one, two = (os.pread(f, 1 << 20, at) for f in files)
		    if one != two or not one:
		        sys.exit("they differ: the first byte in the MiB behind byte %d" % at)
		    at = min(data(f, at + len(one)) for f in files)
	PY
}

# The value of a member of a JSON file, by a path like verity.root_hash or disk.partitions.1.offset.
json_get() {
	python3 -c '
import json, sys
v = json.load(open(sys.argv[1]))
for key in sys.argv[2].split("."):
    v = v[int(key)] if isinstance(v, list) else v[key]
print(json.dumps(v) if isinstance(v, (dict, list, bool)) else v)' "$1" "$2"
}

[ -x "$mkappliance" ] || skip "$mkappliance is not built (make)"
