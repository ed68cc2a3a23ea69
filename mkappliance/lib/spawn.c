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
	int pidfd; /* readable once it ended; -1 where the kernel has none */
	int out;   /* read ends; -1 once they ended */
	int err;
	bool stopping; /* it was told to end: an interrupt has been seen */
	struct buf log;
	size_t line_start; /* where in log the unfinished line begins */
};

/* What the child says through the status pipe when it cannot become the program. */
struct child_failure {
	enum { FAILED_SETUP, FAILED_CWD, FAILED_EXEC } step;
	int code; /* errno */
};

/* The child's ends of everything, before they get their numbers. */
struct child_fds {
	int in;
	int out;
	int err;
	int status;
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

static void __attribute__((noreturn)) child_fail(int status, int step)
{
	struct child_failure f = {.step = step, .code = errno};

	(void)!write(status, &f, sizeof(f));
	_exit(127);
}

/*
 * Standard streams from @fds, everything else closes on exec. First all go above 2: when our own standard streams are
 * closed a pipe may have their numbers, and dup2() onto itself would leave it marked to close.
 */
static bool child_set_streams(struct child_fds *fds)
{
	int *all[] = {&fds->in, &fds->out, &fds->err, &fds->status};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int fd = fcntl(*all[i], F_DUPFD_CLOEXEC, 3);

		if (fd < 0)
			return false;
		*all[i] = fd;
	}
	if (dup2(fds->in, 0) < 0 || dup2(fds->out, 1) < 0 || dup2(fds->err, 2) < 0)
		return false;
	/* All of ours are marked already; this is for libraries'. The kernel knows it from 5.11 on. */
	(void)syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
	return true;
}

/* In the child, between fork and exec: nothing but system calls. */
static void __attribute__((noreturn))
child_exec(const struct spawn *s, struct child_fds fds, pid_t parent, char *const *env)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	if (!child_set_streams(&fds))
		child_fail(fds.status, FAILED_SETUP);
	if (s->cwd && chdir(s->cwd) < 0)
		child_fail(fds.status, FAILED_CWD);
	execvpe(s->argv[0], (char *const *)(uintptr_t)s->argv, env);
	child_fail(fds.status, FAILED_EXEC);
}

/* Whether the entry @e ("NAME=VALUE") is set by one of @settings. */
static bool is_set_in(const char *e, const char *const *settings)
{
	size_t name = strcspn(e, "=") + 1;

	for (; settings && *settings; settings++)
		if (strncmp(e, *settings, name) == 0)
			return true;
	return false;
}

/* Our environment with LC_ALL=C and the caller's settings over it. Pointers borrowed, the array to be freed. */
static char **child_env(const struct spawn *s)
{
	static const char *const ours[] = {"LC_ALL=C", NULL};
	size_t n = 0, cap = 0;
	char **env = NULL;

	for (char **e = environ; e && *e; e++) {
		if (is_set_in(*e, ours) || is_set_in(*e, s->env))
			continue;
		array_grow(env, n, cap);
		env[n++] = *e;
	}
	if (!is_set_in(ours[0], s->env)) {
		array_grow(env, n, cap);
		env[n++] = (char *)(uintptr_t)ours[0];
	}
	for (size_t i = 0; s->env && s->env[i]; i++) {
		array_grow(env, n, cap);
		env[n++] = (char *)(uintptr_t)s->env[i];
	}
	array_grow(env, n, cap);
	env[n] = NULL;
	return env;
}

/* Waits until the child has become the program (the pipe closes) or says why it cannot. */
static int child_confirm(const struct child *c, int status, struct error *err)
{
	const char *name = c->spec->argv[0];
	struct child_failure f;
	ssize_t n;

	while ((n = read(status, &f, sizeof(f))) < 0 && errno == EINTR)
		;
	if (n != sizeof(f))
		return 0;
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (f.step == FAILED_CWD)
		return error_errno(err, -f.code, "starting '%s' in the directory '%s'", name, c->spec->cwd);
	return error_errno(err, -f.code, "starting '%s'", name);
}

static int make_pipe(const char *name, int *ret_read, int *ret_write, struct error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "pipe for '%s'", name);
	*ret_read = fds[0];
	*ret_write = fds[1];
	return 0;
}

static int child_start(const struct spawn *s, struct child *c, struct error *err)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int out_r = -1, out_w = -1, err_r = -1, err_w = -1, status_r = -1, status_w = -1;
	_cleanup_free_ char **env = child_env(s);
	pid_t parent = getpid();
	int r;

	if (null < 0)
		return error_errno(err, -errno, "/dev/null");
	r = make_pipe(s->argv[0], &err_r, &err_w, err);
	if (r >= 0)
		r = make_pipe(s->argv[0], &status_r, &status_w, err);
	if (r >= 0 && s->output && s->stdout_fd <= 0)
		r = make_pipe(s->argv[0], &out_r, &out_w, err);
	if (r < 0)
		return r;
	c->pid = fork();
	if (c->pid < 0)
		return error_errno(err, -errno, "starting '%s'", s->argv[0]);
	if (c->pid == 0)
		child_exec(s,
			   (struct child_fds){.in = s->stdin_fd > 0 ? s->stdin_fd : null,
					      .out = s->stdout_fd > 0 ? s->stdout_fd
						     : out_w >= 0     ? out_w
								      : null,
					      .err = err_w,
					      .status = status_w},
			   parent, env);
	cleanup_closep(&status_w);
	status_w = -1;
	r = child_confirm(c, status_r, err);
	if (r < 0)
		return r;
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0U);
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

/* Whether it ended; it stays a zombie until it is reaped, so its number and its group's stay ours. */
static bool child_ended(const struct child *c)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ? errno != EINTR
										   : info.si_pid == c->pid;
}

/* The shorter of 500 ms and what is left until @deadline (0: none). Without a pidfd the end is only seen by looking. */
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
 * Waits for output or the end and takes what came. 1: it ended, and there is no more output (a process that it left
 * behind may still hold the pipes: nobody waits for that one).
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
	return ended && !fds[0].revents && !fds[1].revents;
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

/* Asks the whole group to end, and listens meanwhile: a program that cleans up must not die of a full pipe. */
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

static void log_argv(const char *const *argv)
{
	_cleanup_buf_ struct buf b = {0};

	for (size_t i = 0; argv[i]; i++)
		buf_printf(&b, " %s", argv[i]);
	log_debug("+%s", b.ptr);
}

int spawn_run(const struct spawn *s, struct error *err)
{
	struct child c = {.spec = s, .pidfd = -1, .out = -1, .err = -1};
	int r, status;

	if (!spawn_available(s->argv[0]))
		return not_installed(s, err);
	log_argv(s->argv);
	r = child_start(s, &c, err);
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
