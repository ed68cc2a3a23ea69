/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "lib/log.h"

static volatile sig_atomic_t pending;
static int pipe_fds[2] = {-1, -1};

/*
 * timeout(1) signals the process and then its group, sudo and make pass on what the terminal has sent to all: one wish to end, seen twice
 * at nearly the same moment. What comes so soon after another is not a second one, also when that was taken back in between; but what we
 * send ourselves (raise(3)) always counts.
 */
#define TOGETHER_NS 250000000ull

static bool is_same_wish(const siginfo_t *info)
{
	static uint64_t last_ns; /* atomic; clock_gettime(2) may be called by a handler */
	uint64_t now = clock_ns(), last = __atomic_load_n(&last_ns, __ATOMIC_RELAXED);

	if (info->si_code == SI_TKILL)
		return false;
	if (last && now - last < TOGETHER_NS)
		return true;
	__atomic_store_n(&last_ns, now, __ATOMIC_RELAXED);
	return false;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	if (is_same_wish(info)) {
		errno = saved;
		return;
	}
	if (pending)
		_exit(128 + number);
	pending = number;
	(void)!write(pipe_fds[1], "", 1);
	errno = saved;
}

void interrupt_setup(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

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

int interrupt_sleep(uint64_t ns, struct error *err)
{
	struct pollfd p = {.fd = pipe_fds[0], .events = POLLIN};
	uint64_t end = clock_ns() + ns;

	for (;;) {
		uint64_t now = clock_ns();
		int r = interrupt_check(err);

		if (r < 0 || now >= end)
			return r;
		/* Without a descriptor for signals: in short steps. */
		(void)poll(&p, 1, (int)((end - now) / 1000000 < 500 ? (end - now) / 1000000 + 1 : 500));
	}
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
