/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/spawn_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"

/* What the child says through the status pipe when it cannot become the program. */
struct child_failure {
	enum { FAILED_SETUP, FAILED_ROOT, FAILED_CWD, FAILED_EXEC } step;
	int code; /* errno */
};

/* The child's ends of everything, before they get their numbers. */
struct child_fds {
	int in;
	int out;
	int err;
	int status;
};

static void __attribute__((noreturn)) child_fail(int status, int step)
{
	struct child_failure f = {.step = step, .code = errno};

	(void)!write(status, &f, sizeof(f));
	_exit(127);
}

/*
 * Standard streams from @fds, everything else closes on exec. First all go above 2: when our own standard
 * streams are closed a pipe may have their numbers, and dup2() onto itself would leave it marked to close.
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
	if (s->root && (chroot(s->root) < 0 || chdir("/") < 0))
		child_fail(fds.status, FAILED_ROOT);
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

/*
 * Our environment with LC_ALL=C and the caller's settings over it. Pointers borrowed, the array to be
 * freed.
 */
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
	if (f.step == FAILED_ROOT)
		return error_errno(err, -f.code, "starting '%s' with '%s' as its root", name, c->spec->root);
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

int child_start(struct child *c, struct error *err)
{
	const struct spawn *s = c->spec;
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
					      .out = s->join		? err_w
						     : s->stdout_fd > 0 ? s->stdout_fd
						     : out_w >= 0	? out_w
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
