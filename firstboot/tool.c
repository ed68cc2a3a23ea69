/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "tool.h"

#define KEPT 300 /* bytes of what it said */

static _Noreturn void tool_child(const char *const *argv, int output)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	static char *const env[] = {path, NULL};
	union {
		const char *const *constant;
		char *const *plain; /* execve(2) does not change them, POSIX only declares it so */
	} args = {.constant = argv};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	(void)sigemptyset(&none);
	if (null >= 0 && dup2(null, 0) >= 0 && dup2(output, 1) >= 0 && dup2(output, 2) >= 0 &&
	    setsid() >= 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0)
		(void)execve(argv[0], args.plain, env);
	_exit(127);
}

/* What it says, as one line, of which the last KEPT bytes stay. False: there is no more. */
static bool read_output(int fd, struct line *l)
{
	char buf[256];
	ssize_t n = read(fd, buf, sizeof buf);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	for (ssize_t i = 0; i < n; i++)
		buf[i] = buf[i] == '\n' || buf[i] == '\r' ? ' ' : buf[i];
	if (l->len > KEPT) {
		memmove(l->text, l->text + l->len - KEPT, KEPT);
		l->len = KEPT;
	}
	line_bytes(l, buf, (size_t)n);
	return true;
}

static void wait_for(struct child *c, int output, struct events *e, struct line *ret_last)
{
	bool open = true;

	while (c->running && !e->stop) {
		struct pollfd p = {.fd = open ? output : -1, .events = POLLIN};

		events_wait(e, &p, 1, UINT64_MAX);
		if (open && p.revents)
			open = read_output(output, ret_last);
	}
	/* What is left in the pipe, but not what others might still write. */
	for (int i = 0; open && i < 256; i++)
		open = read_output(output, ret_last);
}

int tool_run(const char *const *argv, struct events *e, struct line *ret_last)
{
	static struct child c; /* known to child_reap() for good */
	int output[2];
	pid_t pid;

	if (access(argv[0], X_OK) < 0 || pipe2(output, O_CLOEXEC) < 0)
		return -errno;
	(void)fcntl(output[0], F_SETFL, O_NONBLOCK); /* cannot fail for a pipe */
	pid = fork();
	if (pid == 0)
		tool_child(argv, output[1]);
	close(output[1]);
	if (pid < 0) {
		int r = -errno;

		close(output[0]);
		return r;
	}
	child_add(&c, pid);
	wait_for(&c, output[0], e, ret_last);
	close(output[0]);
	if (c.running) {
		(void)kill(pid, SIGKILL);
		return -EINTR;
	}
	return WIFEXITED(c.status) ? WEXITSTATUS(c.status) : TOOL_SIGNALLED + WTERMSIG(c.status);
}
