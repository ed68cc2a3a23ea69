#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Readiness by sd_notify, by a file and by a web server that takes three seconds for its first answer; Watch= of both kinds; a service
# that is what the unit of its package says (Unit=); the status port with clients that behave and clients that do not. Two boots of one
# image.
# Takes: 60 s
. "$(dirname "$0")/functions.sh"
requires musl-gcc musl-tools
requires curl
requires python3
requires dpkg-deb dpkg
requires qemu-system-x86_64 qemu-system-x86
kernel=$(find /boot -name 'vmlinuz-*-cloud-amd64' -readable | sort -V | tail -n 1)
[ -n "$kernel" ] || skip "no Debian cloud kernel in /boot (apt-get install linux-image-cloud-amd64)"
port=$(free_port) web_port=$(free_port)

make_actor() {
	cat >"$tmp/actor.c" <<'C'
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void say(const char *text)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	strncpy(to.sun_path, getenv("NOTIFY_SOCKET"), sizeof to.sun_path - 1);
	if (sendto(fd, text, strlen(text), 0, (void *)&to, sizeof to) < 0)
		perror("sendto");
	close(fd);
}

/* Ready after a second, alive until there is @quiet. */
static int notify(const char *quiet)
{
	struct stat st;

	printf("WATCHDOG_USEC is %s\n", getenv("WATCHDOG_USEC"));
	fflush(stdout);
	say("STATUS=soon\nREADY=0");
	sleep(1);
	for (say("READY=1"); stat(quiet, &st) < 0; usleep(300000))
		say("WATCHDOG=1");
	for (;;)
		pause();
}

/* What it finds of what its unit says. Its first life ends badly. */
static int unit(const char *word)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(80)};
	int s = socket(AF_INET, SOCK_STREAM, 0), lives = open("/tmp/lives", O_RDWR | O_CREAT | O_APPEND, 0600);
	FILE *f = fopen("/proc/self/status", "r");
	struct rlimit files;
	struct stat st = {0};
	char line[256];

	getrlimit(RLIMIT_NOFILE, &files);
	fstat(lives, &st);
	printf("life %d, user %d, %s, A=%s B=%s, port 80: %s, %d:%d files\n", (int)st.st_size, (int)getuid(), word, getenv("A"), getenv("B"),
	       bind(s, (void *)&at, sizeof at) == 0 ? "mine" : strerror(errno), (int)files.rlim_cur, (int)files.rlim_max);
	printf("before: %s\n", stat("/tmp/before", &st) == 0 && st.st_uid == getuid() ? "ran as this user" : "did not run");
	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, "CapEff", 6) == 0 || strncmp(line, "CapBnd", 6) == 0 || strncmp(line, "NoNewPrivs", 10) == 0)
			printf("%s", line);
	fflush(stdout);
	if (write(lives, "x", 1) != 1 || lseek(lives, 0, SEEK_CUR) < 2)
		return 7;
	return notify("/tmp/quiet-unit");
}

static int file(void)
{
	sleep(1);
	close(open("/tmp/up", O_WRONLY | O_CREAT, 0644));
	for (;;)
		pause();
}

static int web(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(8081)};
	int s = socket(AF_INET, SOCK_STREAM, 0), on = 1, slow = 1, broken = 0;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(s, (void *)&at, sizeof at) < 0 || listen(s, 8) < 0)
		return 1;
	for (;;) {
		int c = accept(s, NULL, NULL);
		char buf[1000] = "";

		if (c < 0 || read(c, buf, sizeof buf - 1) < 0)
			continue;
		if (strncmp(buf, "GET /quiet-unit", 15) == 0)
			close(open("/tmp/quiet-unit", O_WRONLY | O_CREAT, 0644));
		broken |= strncmp(buf, "GET /break", 10) == 0;
		if (slow)
			sleep(3);
		slow = 0;
		dprintf(c, "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", broken ? "500 no" : "200 OK");
		close(c);
	}
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2)
		return 2;
	switch (*argv[1]) {
	case 'n':
		return notify("/none");
	case 'f':
		return file();
	case 'b':
		return open("/tmp/before", O_WRONLY | O_CREAT, 0644) < 0;
	case 'u':
		return unit(argv[2]);
	default:
		return web();
	}
}
C
	sed -i 's/#include <fcntl.h>/#include <errno.h>\n&\n#include <signal.h>/; s/#include <sys.socket.h>/#include <sys\/resource.h>\n&/' "$tmp/actor.c"
	musl-gcc -static -Os -o "$tmp/base/usr/bin/actor" "$tmp/actor.c"
}

# A package whose unit says how its program is to be run and watched.
make_package() {
	mkdir -p "$tmp"/watched/{DEBIAN,lib/systemd/system,etc/default} &&
		printf 'Package: watched\nVersion: 1\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: t\n' >"$tmp/watched/DEBIAN/control" &&
		printf '# a comment\nA="one two"\nB=file\n' >"$tmp/watched/etc/default/watched" || return
	cat >"$tmp/watched/lib/systemd/system/watched.service" <<-'END'
		[Unit]
		Description=Says what it finds
		StartLimitIntervalSec=10min
		StartLimitBurst=3
		[Service]
		Type=notify
		User=watched
		Environment=B=unit WORD=word
		EnvironmentFile=/etc/default/watched
		ExecStartPre=/usr/bin/actor before
		ExecStart=/usr/bin/actor unit ${WORD}
		WatchdogSec=5
		Restart=on-failure
		AmbientCapabilities=CAP_NET_BIND_SERVICE
		CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_CHOWN
		NoNewPrivileges=yes
		LimitNOFILE=300:400
		[Install]
		WantedBy=multi-user.target
	END
	dpkg-deb --root-owner-group -b "$tmp/watched" "$tmp/template/watched.deb" >/dev/null
}

make_image() {
	mkdir -p "$tmp"/base/{dev,proc,sys,run,tmp,etc,usr/bin} "$tmp/template" && chmod 1777 "$tmp/base/tmp" && make_actor && make_package || return
	printf 'root:x:0:0::/:/bin/false\napp:x:1000:1000::/:/bin/false\nwatched:x:1001:1001::/:/bin/false\n' >"$tmp/base/etc/passwd"
	printf 'root:x:0:\napp:x:1000:\nwatched:x:1001:\n' >"$tmp/base/etc/group"
	cat >"$tmp/template/appliance.conf" <<-END
		[Appliance]
		Name=health
		Version=1
		[Base]
		Source=directory
		Path=$tmp/base
		[Kernel]
		Image=$kernel
		ModulesDirectory=/lib/modules/${kernel#/boot/vmlinuz-}
		CommandLine=console=ttyS0 quiet
		[Init]
		Exec=/usr/bin/actor notify
		User=app
		Ready=notify
		Watch=notify
		WatchInterval=3
		WatchFailures=2
		Status=:9000
		SystemCallFilter=@system-service
		SystemCallFilter=~@privileged @debug @namespace
		[Service file]
		Exec=/usr/bin/actor file
		User=app
		Ready=file:/tmp/up
		[Service web]
		Exec=/usr/bin/actor web
		User=app
		Ready=http://:8081/
		Watch=http://:8081/
		WatchInterval=1
		WatchFailures=2
		[Service watched]
		Unit=watched.service
		[Package]
		Path=watched.deb
	END
	"$mkappliance" build "$tmp/template" -o "$tmp/built" --quiet
}

start() {
	"$mkappliance" boot "$tmp/built/health-1.raw" --console --timeout 250 --forward "$port:9000" --forward "$web_port:8081" \
		>"$tmp/boot.out" 2>&1 &
	boot=$!
}

# waits_for TEXT: on the console.
waits_for() {
	local i
	for ((i = 0; i < 1200; i++)); do
		! grep -qF -- "$1" "$tmp/boot.out" || return 0
		kill -0 "$boot" 2>/dev/null || break
		sleep 0.1
	done
	grep -qF -- "$1" "$tmp/boot.out" && return
	echo "not said: $1"
	tail -n 20 "$tmp/boot.out"
	return 1
}

# Until the machine is ready: 503 as soon as somebody answers, then 200 with the state.
all_become_ready() {
	local early
	waits_for '"event": "started"' || return
	early=$(curl -s -m 20 --retry 20 --retry-all-errors --retry-delay 1 "http://127.0.0.1:$port/")
	waits_for '"event": "ready"' && waits_for "app: WATCHDOG_USEC is 6000000" || return
	curl -s -m 20 -f "http://127.0.0.1:$port/any/path" >"$tmp/state.json" &&
		[ "$(json_get "$tmp/state.json" state)" = ready ] && [ "$(json_get "$tmp/state.json" name)" = health ] &&
		[ "$(json_get "$tmp/state.json" root_hash)" = "$(json_get "$tmp/built/health-1.manifest.json" verity.root_hash)" ] &&
		echo "early: $early"
}

# Slow, many, garbage, too long, another method: and one that behaves is still answered.
status_survives() {
	python3 - "$port" <<'PY'
import socket, sys, time, urllib.request, urllib.error

port = int(sys.argv[1])


def connect():
    return socket.create_connection(("127.0.0.1", port), 20)


def ask(data):
    with connect() as s:
        s.settimeout(30)
        s.sendall(data)
        out = b""
        try:
            while True:
                part = s.recv(4096)
                if not part:
                    break
                out += part
        except ConnectionResetError:
            pass
        return out.split(b"\r\n")[0]


assert b" 405 " in ask(b"POST / HTTP/1.1\r\n\r\n")
assert b" 400 " in ask(b"\x16\x03\x01\x02\x00\x01")
assert b" 400 " in ask(b"GET /\r\n\r\n")
assert b" 431 " in ask(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 600)
assert b" 200 " in ask(b"HEAD / HTTP/1.0\r\n\r\n")
# Twelve that say little or nothing, and never go: they are sent away, and a good one gets its turn.
slow = [connect() for _ in range(12)]
for s in slow[::2]:
    s.sendall(b"GET / HT")
deadline = time.monotonic() + 90
while True:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as r:
            assert r.status == 200 and b'"ready"' in r.read()
        break
    except (OSError, urllib.error.URLError):
        if time.monotonic() > deadline:
            raise
for s in slow:
    s.close()
for _ in range(30):
    connect().close()
# Their turn comes first; who came while all places were taken was sent away.
deadline = time.monotonic() + 90
while b" 200 " not in ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
    assert time.monotonic() < deadline
PY
}

ends_with() {
	gone "$boot" && waits_for '"reason": "watch"' && waits_for "$1" && waits_for "$2"
}

silence_ends_it() {
	curl -s -m 20 "http://127.0.0.1:$web_port/quiet-unit" && ends_with '"service": "watched"' "no WATCHDOG=1 on \$NOTIFY_SOCKET for 5 s"
}

# What its unit says is what the program finds.
unit_is_honoured() {
	waits_for 'app: watched: life 0, user 1001, word, A=one two B=file, port 80: mine, 300:400 files' && waits_for 'app: watched: before: ran as this user' &&
		waits_for 'app: watched: CapEff: 0000000000000400' && waits_for 'app: watched: CapBnd: 0000000000000400' && waits_for 'app: watched: NoNewPrivs: 1' &&
		grep -E '"event": "ended".*"watched", "status": 7, "restart_ms"' "$tmp/boot.out" && waits_for 'app: watched: life 1, user 1001' &&
		waits_for 'app: watched: WATCHDOG_USEC is 5000000'
}

bad_answers_end_it() {
	waits_for '"event": "ready"' && curl -s -m 20 "http://127.0.0.1:$web_port/break" &&
		ends_with '"service": "web"' "Watch= of port 8081 failed 2 times in a row"
}

stop_boot() {
	[ -z "${boot:-}" ] || kill -INT "$boot" 2>/dev/null
	[ -z "${boot:-}" ] || wait "$boot" 2>/dev/null
}

check "the image" make_image || exit
at_exit stop_boot
start
check "ready by sd_notify, by a file and by a slow answer; the status says it" all_become_ready
check "Unit=: user, variables, capabilities, limits, a program before it, restart, notify and watchdog" unit_is_honoured
check "the status port survives its clients" status_survives
check "the machine ends when the watchdog of a unit hears nothing" silence_ends_it
start
check "the machine ends when Watch= fails in a row" bad_answers_end_it
