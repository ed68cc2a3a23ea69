/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"
#include "lib/spawn_child.h"

#define OUTPUT_LIMIT ((size_t)16 << 20)
#define LOG_KEEP     ((size_t)64 << 10)
#define GRACE_NS     5000000000ull
#define CHUNK	     8192
#define PIPE_MAX     (1u << 20) /* the most that a pipe holds (/proc/sys/fs/pipe-max-size) */
#define LAST_READS   (2 * (PIPE_MAX / CHUNK + 64)) /* what was in both pipes at the end has been read by then */

char *spawn_find(const char *program)
{
	const char *path = getenv("PATH");

	if (strchr(program, '/'))
		return access(program, X_OK) == 0 ? xstrdup(program) : NULL;
	for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
		size_t n = strcspn(p, ":");
		_cleanup_free_ char *full = xasprintf("%.*s/%s", (int)n, p, program);

		if (access(full, X_OK) == 0)
			return steal_pointer(&full);
		p += n + (p[n] == ':');
	}
	return NULL;
}

bool spawn_available(const char *program)
{
	_cleanup_free_ char *path = spawn_find(program);

	return path != NULL;
}

/* Hands every finished line on, and forgets all but the end of a long log. */
static void take_lines(struct child *c)
{
	for (;;) {
		char *start = c->log.ptr ? c->log.ptr + c->line_start : NULL;
		char *nl = start ? memchr(start, '\n', c->log.len - c->line_start) : NULL;

		if (!nl)
			break;
		if (c->spec->on_line) {
			*nl = 0;
			c->spec->on_line(start, c->spec->data);
			*nl = '\n';
		}
		c->line_start = (size_t)(nl + 1 - c->log.ptr);
	}
	if (c->log.len > 2 * LOG_KEEP) {
		size_t cut = c->log.len - LOG_KEEP;

		memmove(c->log.ptr, c->log.ptr + cut, LOG_KEEP + 1);
		c->log.len = LOG_KEEP;
		c->line_start = c->line_start > cut ? c->line_start - cut : 0;
	}
}

/* What the program wrote last, without a newline. */
static void take_last_line(struct child *c)
{
	if (c->spec->on_line && c->line_start < c->log.len)
		c->spec->on_line(c->log.ptr + c->line_start, c->spec->data);
	c->line_start = c->log.len;
}

/* Reads what is there. 0, or -EFBIG when the program writes without end. */
static int drain(int *fd, struct buf *b, size_t limit)
{
	char chunk[CHUNK];
	ssize_t n = read(*fd, chunk, sizeof(chunk));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		(void)close(steal_fd(fd));
		return 0;
	}
	if (b->len + (size_t)n > limit)
		return -EFBIG;
	buf_add(b, chunk, (size_t)n);
	return 0;
}

/* Whether it ended; it stays a zombie until it is reaped, so its number and its group's stay ours. */
static bool child_ended(const struct child *c)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ? errno != EINTR
										   : info.si_pid == c->pid;
}

/*
 * The shorter of 500 ms and what is left until @deadline (0: none). Without a pidfd the end is only seen by
 * looking.
 */
static int poll_time(const struct child *c, uint64_t deadline)
{
	uint64_t longest = c->pidfd >= 0 ? 500 : 20, now = clock_ns();

	if (deadline && deadline <= now)
		return 0;
	if (deadline && (deadline - now) / 1000000 < longest)
		longest = (deadline - now) / 1000000 + 1;
	return (int)longest;
}

/*
 * Waits for output or the end and takes what came. 1: it ended, and there is no more output (a process that
 * it left behind may still hold the pipes, and even write to them: nobody waits for that one).
 */
static int child_pump(struct child *c, uint64_t deadline, struct error *err)
{
	const struct spawn *s = c->spec;
	bool ended = child_ended(c); /* before the look at the pipes, so that its last words are not lost */
	struct pollfd fds[] = {
		{.fd = c->out, .events = POLLIN},
		{.fd = c->err, .events = POLLIN},
		{.fd = c->pidfd, .events = POLLIN},
		{.fd = c->stopping ? -1 : interrupt_fd(), .events = POLLIN},
	};

	if (poll(fds, sizeof(fds) / sizeof(fds[0]), ended ? 0 : poll_time(c, deadline)) < 0)
		return 0;
	if (fds[0].revents && drain(&c->out, s->output, OUTPUT_LIMIT) < 0)
		return error_set(err, -EFBIG, "'%s' wrote more than %zu bytes", s->argv[0], OUTPUT_LIMIT);
	if (fds[1].revents) {
		(void)drain(&c->err, &c->log, SIZE_MAX);
		take_lines(c);
	}
	return ended && ((!fds[0].revents && !fds[1].revents) || ++c->last_reads > LAST_READS);
}

/* Until it ended. */
static int child_collect(struct child *c, struct error *err)
{
	const struct spawn *s = c->spec;
	uint64_t deadline = s->timeout_ns ? clock_ns() + s->timeout_ns : 0;
	int r;

	do {
		r = interrupt_check(err);
		if (r < 0)
			return r;
		if (deadline && clock_ns() > deadline)
			return error_set(err, -ETIMEDOUT, "'%s' did not end within %.3g s", s->argv[0],
					 (double)s->timeout_ns / 1e9);
		r = child_pump(c, deadline, err);
	} while (r == 0);
	return r < 0 ? r : 0;
}

/*
 * Asks the whole group to end, and listens meanwhile: a program that cleans up must not die of a full pipe.
 */
static void child_stop(struct child *c)
{
	uint64_t deadline = clock_ns() + GRACE_NS;
	struct error ignored;

	c->stopping = true;
	(void)kill(-c->pid, SIGTERM);
	while (clock_ns() < deadline && child_pump(c, deadline, &ignored) == 0)
		;
}

/* Ends what is left of the group (its number is ours until waitpid()) and returns the wait status. */
static int child_reap(struct child *c)
{
	int status = 0;

	/* A daemon leaves the group by itself, but perhaps only after the process that we wait for has ended. */
	if (!c->spec->daemon || c->stopping)
		(void)kill(-c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	cleanup_closep(&c->pidfd);
	cleanup_closep(&c->out);
	cleanup_closep(&c->err);
	take_last_line(c);
	return status;
}

/* The last line of standard error that says something, "" when there is none. To be freed. */
static char *last_line(const struct buf *log)
{
	size_t end = log->len, start;

	while (end > 0 && (log->ptr[end - 1] == '\n' || log->ptr[end - 1] == ' '))
		end--;
	for (start = end; start > 0 && log->ptr[start - 1] != '\n'; start--)
		;
	return end > start ? xasprintf(": %.*s", (int)(end - start), log->ptr + start) : xstrdup("");
}

static int not_installed(const struct spawn *s, struct error *err)
{
	if (s->package)
		return error_set(err, -ENOENT, "'%s' is not installed (apt-get install %s)", s->argv[0],
				 s->package);
	return error_set(err, -ENOENT, "'%s' is not installed", s->argv[0]);
}

static int judge(const struct child *c, int status, struct error *err)
{
	_cleanup_free_ char *line = last_line(&c->log);
	const char *name = c->spec->argv[0];

	if (WIFSIGNALED(status))
		return error_set(err, -EPIPE, "'%s' was killed by signal %d (%s)%s", name, WTERMSIG(status),
				 strsignal(WTERMSIG(status)), line);
	if (WEXITSTATUS(status) != 0)
		return error_set(err, -EPIPE, "'%s' failed with exit code %d%s", name, WEXITSTATUS(status),
				 line);
	return 0;
}

static void log_argv(const struct spawn *s)
{
	_cleanup_buf_ struct buf b = {0};

	for (size_t i = 0; s->argv[i] && (i == 0 || !s->secret); i++)
		buf_printf(&b, " %s", s->argv[i]);
	if (s->secret && s->argv[0] && s->argv[1])
		buf_printf(&b, " ...");
	log_debug("+%s", b.ptr);
}

int spawn_run(const struct spawn *s, struct error *err)
{
	struct child c = {.spec = s, .pidfd = -1, .out = -1, .err = -1};
	int r, status;

	if (!s->root && !spawn_available(s->argv[0]))
		return not_installed(s, err);
	log_argv(s);
	r = child_start(&c, err);
	if (r < 0)
		return r;
	r = child_collect(&c, err);
	if (r < 0)
		child_stop(&c);
	status = child_reap(&c);
	if (r >= 0)
		r = judge(&c, status, err);
	if (s->log) {
		buf_free(s->log);
		*s->log = c.log;
	} else {
		buf_free(&c.log);
	}
	return r;
}
