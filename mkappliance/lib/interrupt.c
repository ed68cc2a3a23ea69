/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t pending;
static int pipe_fds[2] = {-1, -1};

static void on_signal(int number)
{
	int saved = errno;

	if (pending)
		_exit(128 + number);
	pending = number;
	(void)!write(pipe_fds[1], "", 1);
	errno = saved;
}

void interrupt_setup(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal};

	/* Without the pipe only poll() is slower to notice: interrupt_fd() is -1 then, which poll() skips. */
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		pipe_fds[0] = pipe_fds[1] = -1;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct sigaction old;

		(void)sigaction(signals[i], &action, &old);
		/* nohup(1) */
		if (signals[i] == SIGHUP && old.sa_handler == SIG_IGN)
			(void)signal(SIGHUP, SIG_IGN);
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* past 'ulimit -f' write() says EFBIG then */
}

bool interrupt_pending(void)
{
	return pending != 0;
}

int interrupt_signal(void)
{
	return pending;
}

int interrupt_check(struct error *err)
{
	if (pending)
		return error_set(err, -EINTR, "interrupted");
	return 0;
}

int interrupt_fd(void)
{
	return pipe_fds[0];
}

void interrupt_clear(void)
{
	char c;

	while (read(pipe_fds[0], &c, 1) > 0)
		;
	pending = 0;
}
