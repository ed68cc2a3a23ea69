/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "button.h"
#include "end.h"
#include "events.h"
#include "file.h"
#include "guard.h"
#include "image/abi.h"

#define FIXED 4 /* descriptors that are always waited for */

void events_open(struct events *e, int uevent_fd)
{
	sigset_t wanted;

	/* Control-Alt-Delete shall be a SIGINT to us and not an immediate restart. */
	(void)reboot(RB_DISABLE_CAD);
	(void)sigemptyset(&wanted);
	(void)sigaddset(&wanted, SIGTERM);
	(void)sigaddset(&wanted, SIGINT);
	(void)sigaddset(&wanted, SIGPWR);
	(void)sigaddset(&wanted, SIGCHLD);
	e->signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	if (e->signal_fd < 0)
		fail(ABI_FAILED_SETUP, "no signalfd: %s", strerror(errno));
	e->uevent_fd = uevent_fd;
	e->button_fd = button_open();
	e->stop = NULL;
	e->child = false;
}

static void read_signals(struct events *e)
{
	struct signalfd_siginfo s;

	while (read(e->signal_fd, &s, sizeof s) == (ssize_t)sizeof s) {
		if (s.ssi_signo == SIGCHLD)
			e->child = true;
		else if (!e->stop)
			e->stop = ABI_STOP_SIGNAL;
	}
}

/* Milliseconds for poll(2). */
static int poll_timeout(uint64_t deadline)
{
	uint64_t now = clock_ms();

	if (deadline == UINT64_MAX)
		return -1;
	if (deadline <= now)
		return 0;
	return deadline - now > INT_MAX ? INT_MAX : (int)(deadline - now);
}

void events_wait(struct events *e, struct pollfd *extra, size_t count, uint64_t deadline)
{
	struct pollfd p[FIXED + EVENTS_EXTRA_MAX] = {
		{.fd = e->signal_fd, .events = POLLIN},
		{.fd = e->uevent_fd, .events = POLLIN},
		{.fd = e->button_fd, .events = POLLIN},
		{.fd = guard_log_fd(), .events = POLLIN},
	};

	if (count > EVENTS_EXTRA_MAX)
		count = EVENTS_EXTRA_MAX;
	if (count)
		memcpy(p + FIXED, extra, count * sizeof *extra);
	/* An error here (no memory) is a wait of no length; every fd is asked again below or in the next
	 * round. */
	if (poll(p, FIXED + count, poll_timeout(deadline)) <= 0)
		for (size_t i = 0; i < FIXED + count; i++)
			p[i].revents = 0;
	if (count)
		memcpy(extra, p + FIXED, count * sizeof *extra);
	if (p[1].revents || p[3].revents)
		guard_check();
	if (p[0].revents)
		read_signals(e);
	if (p[2].revents && button_pressed(e->button_fd) && !e->stop)
		e->stop = ABI_STOP_BUTTON;
}
