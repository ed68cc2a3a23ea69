/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/balancer.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/spawn.h"

#define BACKEND	   "app"
#define ANSWER_MAX ((size_t)16 << 20)
#define PATIENCE_S 10 /* for an answer of the socket */
#define START_NS   (30 * 1000000000ull)
#define END_MS	   5000

bool balancer_path_is_plain(const char *path)
{
	return path[0] == '/' && path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
						   "0123456789-._~/?=&+:")] == 0;
}

static int connect_socket(const char *dir, int *ret, struct error *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_free_ char *path = xasprintf("%s/haproxy.sock", dir);
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(a.sun_path))
		return error_set(err, -ENAMETOOLONG, "%s: too long for a socket", path);
	memcpy(a.sun_path, path, strlen(path) + 1);
	if (fd < 0)
		return error_errno(err, -errno, "socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return error_set(err, -EAGAIN, "the balancer is not there: %s", strerror(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	*ret = steal_fd(&fd);
	return 0;
}

/* Sends commands, parted by ';', and reads all that is answered. */
static int ask(const char *dir, const char *commands, struct buf *ret, struct error *err)
{
	_cleanup_free_ char *line = xasprintf("%s\n", commands);
	_cleanup_close_ int fd = -1;
	int r = connect_socket(dir, &fd, err);
	ssize_t n;

	if (r < 0)
		return r;
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line))
		return error_set(err, -EAGAIN, "the balancer does not listen");
	while (ret->len < ANSWER_MAX && (n = recv(fd, buf_room(ret, 65536), 65536, 0)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, -EAGAIN, "the balancer does not answer: %s", strerror(errno));
		ret->len += (size_t)n;
	}
	buf_add(ret, "", 1);
	ret->len--;
	return 0;
}

/* The first line of an answer that has something in it; it says "New server registered." or what is wrong. */
static const char *first_words(char *text)
{
	char *p = text + strspn(text, "\n ");

	p[strcspn(p, "\n")] = 0;
	return p;
}

static int tell(const char *dir, const char *commands, const char *const *fine, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};
	int r = ask(dir, commands, &b, err);
	const char *words;

	if (r < 0)
		return r;
	words = first_words(b.ptr);
	if (!words[0])
		return 0;
	for (; *fine; fine++)
		if (strncmp(words, *fine, strlen(*fine)) == 0)
			return 0;
	return error_set(err, -EAGAIN, "the balancer says: %s", words);
}

int balancer_add(const char *dir, const char *name, uint16_t port, uint16_t health_port, struct error *err)
{
	static const char *const fine[] = {"New server registered", "Already exists a server", NULL};
	_cleanup_free_ char *commands =
		xasprintf("add server " BACKEND
			  "/%s 127.0.0.1:%u check port %u inter 1s fastinter 300ms fall %d rise %d; "
			  "set server " BACKEND "/%s state drain; enable health " BACKEND "/%s",
			  name, port, health_port, BALANCER_FALL, BALANCER_RISE, name, name);

	return tell(dir, commands, fine, err);
}

int balancer_set_ready(const char *dir, const char *name, bool ready, struct error *err)
{
	const char *const fine[] = {ready ? NULL : "No such server", NULL};
	_cleanup_free_ char *command =
		xasprintf("set server " BACKEND "/%s state %s", name, ready ? "ready" : "drain");

	return tell(dir, command, fine, err);
}

int balancer_remove(const char *dir, const char *name, struct error *err)
{
	static const char *const fine[] = {"No such server", "Server deleted", NULL};
	_cleanup_free_ char *commands =
		xasprintf("set server " BACKEND "/%s state maint; shutdown sessions server " BACKEND
			  "/%s; del server " BACKEND "/%s",
			  name, name, name);

	return tell(dir, commands, fine, err);
}

int balancer_read(const char *dir, struct balancer_report *ret, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};
	int r = ask(dir, "show servers state " BACKEND "; show stat -1 -1 -1", &b, err);

	if (r < 0)
		return r;
	balancer_parse(b.ptr, ret);
	return 0;
}

static char *configuration(const struct balancer_config *c)
{
	struct buf b = {0};

	buf_printf(&b, "global\n\tstats socket %s/haproxy.sock mode 600 level admin\n\tstats timeout %ds\n",
		   c->dir, PATIENCE_S);
	/* It speaks with strangers: not as root, where there is an account for it. */
	if (geteuid() == 0 && getpwnam("haproxy"))
		buf_printf(&b, "\tuser haproxy\n\tgroup haproxy\n");
	buf_printf(&b,
		   "\nfrontend clients\n\tmode http\n\tbind %s:%u\n\ttimeout client 60s\n\tmaxconn 4000\n"
		   "\tdefault_backend " BACKEND "\n",
		   c->address, c->port);
	/*
	 * qemu takes a connection before the guest does, so one to a machine that has just gone may be accepted and end without an
	 * answer: what may be asked twice is asked another server then.
	 */
	buf_printf(&b,
		   "\nbackend " BACKEND "\n\tmode http\n\tbalance roundrobin\n\toption http-server-close\n"
		   "\tretries 3\n\toption redispatch 1\n\tretry-on conn-failure empty-response\n"
		   "\thttp-request disable-l7-retry unless METH_GET\n"
		   "\ttimeout connect 5s\n\ttimeout server 60s\n\ttimeout queue 30s\n\ttimeout check 5s\n"
		   "\toption httpchk\n\thttp-check send meth GET uri %s\n\thttp-check expect status %d\n",
		   c->health_path, c->health_status);
	return buf_steal(&b);
}

static bool is_there(const char *dir)
{
	struct error ignored = ERROR_INIT;
	_cleanup_close_ int fd = -1;

	return connect_socket(dir, &fd, &ignored) == 0;
}

int balancer_start(const struct balancer_config *c, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/haproxy.cfg", c->dir);
	_cleanup_free_ char *text = configuration(c);
	const char *const argv[] = {"haproxy", "-D", "-f", path, NULL};
	const char *const sbin[] = {"/usr/sbin/haproxy", "-D", "-f", path, NULL};
	_cleanup_buf_ struct buf log = {0};
	const struct spawn s = {.argv = spawn_available("haproxy") ? argv : sbin,
				.package = "haproxy",
				.log = &log,
				.timeout_ns = START_NS,
				.daemon = true};
	int r;

	if (is_there(c->dir))
		return 0;
	r = output_write_file(path, text, strlen(text), err);
	if (r == 0)
		r = spawn_run(&s, err);
	if (r < 0 && log.ptr && strstr(log.ptr, "cannot bind socket"))
		return error_set(err, -EADDRINUSE,
				 "%s:%u is in use, or may not be taken; choose another one (--listen)",
				 c->address, c->port);
	return r;
}

static pid_t process_of(const char *dir)
{
	_cleanup_buf_ struct buf b = {0};
	struct error ignored = ERROR_INIT;
	const char *line;

	if (ask(dir, "show info", &b, &ignored) < 0)
		return 0;
	line = strstr(b.ptr, "\nPid:");
	return line ? (pid_t)atol(line + 5) : 0;
}

int balancer_stop(const char *dir, struct error *err)
{
	pid_t pid = process_of(dir);

	if (pid <= 1)
		return 0;
	if (kill(pid, SIGTERM) < 0 && errno != ESRCH)
		return error_errno(err, -errno, "ending the balancer (process %d)", (int)pid);
	for (int waited = 0; is_there(dir); waited += 50) {
		if (waited >= END_MS)
			return error_set(err, -ETIMEDOUT, "the balancer (process %d) does not end", (int)pid);
		(void)poll(NULL, 0, 50);
	}
	return 0;
}
