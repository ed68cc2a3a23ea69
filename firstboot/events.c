/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "button.h"
#include "child.h"
#include "end.h"
#include "events.h"
#include "file.h"
#include "guard.h"
#include "image/abi.h"

#define EVENTS_OWN 4 /* descriptors that are always waited for */

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
	e->sources = NULL;
}

static void read_signals(struct events *e)
{
	struct signalfd_siginfo s;

	while (read(e->signal_fd, &s, sizeof s) == (ssize_t)sizeof s) {
		if (s.ssi_signo != SIGCHLD && !e->stop)
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

/* poll() of @p, whose first EVENTS_OWN are for those of everybody, which are taken care of here. */
static void wait_for(struct events *e, struct pollfd *p, size_t count, uint64_t deadline)
{
	static bool more; /* children to reap than child_reap() did last time */

	p[0] = (struct pollfd){.fd = e->signal_fd, .events = POLLIN};
	p[1] = (struct pollfd){.fd = e->uevent_fd, .events = POLLIN};
	p[2] = (struct pollfd){.fd = e->button_fd, .events = POLLIN};
	p[3] = (struct pollfd){.fd = guard_log_fd(), .events = POLLIN};
	/* An error here (no memory) is a wait of no length; every fd is asked again in the next round. */
	if (poll(p, EVENTS_OWN + count, more ? 0 : poll_timeout(deadline)) < 0)
		for (size_t i = 0; i < EVENTS_OWN + count; i++)
			p[i].revents = 0;
	if (p[1].revents || p[3].revents)
		guard_check();
	if (p[0].revents)
		read_signals(e);
	if (p[2].revents && button_pressed(e->button_fd) && !e->stop)
		e->stop = ABI_STOP_BUTTON;
	/* Whether or not its signal is there: one signal stands for many. */
	more = child_reap();
}

void events_wait(struct events *e, struct pollfd *extra, size_t count, uint64_t deadline)
{
	struct pollfd p[EVENTS_OWN + EVENTS_EXTRA_MAX];

	if (count > EVENTS_EXTRA_MAX)
		count = EVENTS_EXTRA_MAX;
	if (count)
		memcpy(p + EVENTS_OWN, extra, count * sizeof *extra);
	wait_for(e, p, count, deadline);
	if (count)
		memcpy(extra, p + EVENTS_OWN, count * sizeof *extra);
}

void events_add(struct events *e, struct event_source *s)
{
	s->next = e->sources;
	e->sources = s;
}

void events_round(struct events *e)
{
	struct pollfd p[EVENTS_OWN + EVENTS_POLL_MAX];
	uint64_t deadline = UINT64_MAX;
	size_t count = 0;

	for (const struct event_source *s = e->sources; s; s = s->next) {
		uint64_t d = s->deadline();

		deadline = d < deadline ? d : deadline;
		count += s->poll(p + EVENTS_OWN + count, EVENTS_POLL_MAX - count);
	}
	wait_for(e, p, count, deadline);
	for (const struct event_source *s = e->sources; s; s = s->next)
		s->step();
}
