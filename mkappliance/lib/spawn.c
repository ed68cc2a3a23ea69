/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"

#define OUTPUT_LIMIT ((size_t)16 << 20)
#define LOG_KEEP     ((size_t)64 << 10)
#define GRACE_NS     5000000000ull

/* A child that runs, and what has come from it. */
struct child {
	const struct spawn *spec;
	pid_t pid;
	int out; /* read ends; -1 once they ended */
	int err;
	struct buf log;
	size_t line_start; /* where in log the unfinished line begins */
};

bool spawn_available(const char *program)
{
	const char *path = getenv("PATH");

	if (strchr(program, '/'))
		return access(program, X_OK) == 0;
	for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
		size_t n = strcspn(p, ":");
		_cleanup_free_ char *full = xasprintf("%.*s/%s", (int)n, p, program);

		if (access(full, X_OK) == 0)
			return true;
		p += n + (p[n] == ':');
	}
	return false;
}

/* In the child, between fork and exec: nothing but system calls; ends in _exit(127) when exec fails. */
static void __attribute__((noreturn)) child_exec(const struct spawn *s, int out, int err, int null,
						 pid_t parent, char *const *env)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(126);
	if (dup2(s->stdin_fd > 0 ? s->stdin_fd : null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(126);
	(void)syscall(SYS_close_range, 3U, ~0U, 0U);
	if (s->cwd && chdir(s->cwd) < 0)
		_exit(126);
	execvpe(s->argv[0], (char *const *)(uintptr_t)s->argv, env);
	_exit(127);
}

/* Our environment with LC_ALL=C and the caller's settings over it. Pointers borrowed, the array to be freed. */
static char **child_env(const struct spawn *s)
{
	size_t n = 0, cap = 0;
	char **env = NULL;
	static char locale[] = "LC_ALL=C";

	for (char **e = environ; *e; e++) {
		size_t name = strcspn(*e, "=") + 1;
		bool hidden = strncmp(*e, locale, 7) == 0;

		for (size_t i = 0; s->env && s->env[i]; i++)
			hidden |= strncmp(*e, s->env[i], name) == 0;
		if (hidden)
			continue;
		array_grow(env, n, cap);
		env[n++] = *e;
	}
	array_grow(env, n, cap);
	env[n++] = locale;
	for (size_t i = 0; s->env && s->env[i]; i++) {
		array_grow(env, n, cap);
		env[n++] = (char *)(uintptr_t)s->env[i];
	}
	array_grow(env, n, cap);
	env[n] = NULL;
	return env;
}

static int child_start(const struct spawn *s, struct child *c, struct error *err)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int out_r = -1, out_w = -1, err_r = -1, err_w = -1;
	_cleanup_free_ char **env = child_env(s);
	pid_t parent = getpid();
	int fds[2];

	if (null < 0)
		return error_errno(err, -errno, "/dev/null");
	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "pipe for '%s'", s->argv[0]);
	err_r = fds[0];
	err_w = fds[1];
	if (s->output && s->stdout_fd <= 0) {
		if (pipe2(fds, O_CLOEXEC) < 0)
			return error_errno(err, -errno, "pipe for '%s'", s->argv[0]);
		out_r = fds[0];
		out_w = fds[1];
	}
	c->pid = fork();
	if (c->pid < 0)
		return error_errno(err, -errno, "starting '%s'", s->argv[0]);
	if (c->pid == 0)
		child_exec(s, s->stdout_fd > 0 ? s->stdout_fd : out_w >= 0 ? out_w : null, err_w, null,
			   parent, env);
	c->out = steal_fd(&out_r);
	c->err = steal_fd(&err_r);
	return 0;
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

/* Reads what is there. 0, or -EFBIG when the program writes without end. */
static int drain(int *fd, struct buf *b, size_t limit)
{
	char chunk[8192];
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

/* Ends the whole group and reaps the child. */
static void child_kill(struct child *c)
{
	uint64_t deadline = clock_ns() + GRACE_NS;
	int status;

	(void)kill(-c->pid, SIGTERM);
	while (clock_ns() < deadline) {
		pid_t r = waitpid(c->pid, &status, WNOHANG);

		if (r == c->pid || (r < 0 && errno != EINTR))
			break;
		(void)poll(NULL, 0, 20);
	}
	(void)kill(-c->pid, SIGKILL);
	(void)waitpid(c->pid, &status, 0);
}

/* Until both pipes ended. */
static int child_collect(struct child *c, struct error *err)
{
	const struct spawn *s = c->spec;
	uint64_t deadline = s->timeout_ns ? clock_ns() + s->timeout_ns : 0;

	while (c->out >= 0 || c->err >= 0) {
		struct pollfd fds[3] = {
			{.fd = c->out, .events = POLLIN},
			{.fd = c->err, .events = POLLIN},
			{.fd = interrupt_fd(), .events = POLLIN},
		};

		if (interrupt_check(err) < 0)
			return err->code;
		if (deadline && clock_ns() > deadline)
			return error_set(err, -ETIMEDOUT, "'%s' did not end within %ju s", s->argv[0],
					 (uintmax_t)(s->timeout_ns / 1000000000ull));
		if (poll(fds, 3, 500) < 0)
			continue;
		if (c->out >= 0 && fds[0].revents && drain(&c->out, s->output, OUTPUT_LIMIT) < 0)
			return error_set(err, -EFBIG, "'%s' wrote more than %zu bytes", s->argv[0],
					 OUTPUT_LIMIT);
		if (c->err >= 0 && fds[1].revents) {
			(void)drain(&c->err, &c->log, SIZE_MAX);
			take_lines(c);
		}
	}
	return 0;
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
		return error_set(err, -EPIPE, "'%s' failed with exit code %d%s", name,
				 WEXITSTATUS(status), line);
	return 0;
}

static void log_argv(const char *const *argv)
{
	_cleanup_buf_ struct buf b = {0};

	for (size_t i = 0; argv[i]; i++)
		buf_printf(&b, " %s", argv[i]);
	log_debug("+%s", b.ptr);
}

int spawn_run(const struct spawn *s, struct error *err)
{
	struct child c = {.spec = s, .out = -1, .err = -1};
	int r, status = 0;

	if (!spawn_available(s->argv[0]))
		return not_installed(s, err);
	log_argv(s->argv);
	r = child_start(s, &c, err);
	if (r < 0)
		return r;
	r = child_collect(&c, err);
	if (c.out >= 0)
		(void)close(c.out);
	if (c.err >= 0)
		(void)close(c.err);
	if (r < 0) {
		child_kill(&c);
	} else {
		while (waitpid(c.pid, &status, 0) < 0 && errno == EINTR)
			;
		r = judge(&c, status, err);
	}
	if (s->log) {
		buf_free(s->log);
		*s->log = c.log;
	} else {
		buf_free(&c.log);
	}
	return r;
}
