/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

#include "file.h"
#include "hypervisor.h"
#include "image/abi.h"
#include "line.h"
#include "realtime.h"
#include "record.h"

#define CLASS	     "/sys/class/ptp"
#define CLOCK_NAME   "KVM virtual PTP\n"
#define FOLLOW_MS    64000
#define LEAVE_US     100			   /* what a measurement may be wrong by on a busy machine */
#define STEP_US	     500000			   /* slewing 500 ppm of it would take a quarter of an hour */
#define CLOCK_OF(fd) ((~(clockid_t)(fd) << 3) | 3) /* clock_getres(2), "Dynamic clocks" */

static int ptp_fd = -1;
static uint64_t next;

enum realtime_action realtime_decide(int64_t offset, bool early)
{
	int64_t size = offset < 0 ? -offset : offset;

	if (size < LEAVE_US)
		return REALTIME_LEAVE;
	return early || size > STEP_US ? REALTIME_STEP : REALTIME_SLEW;
}

static int64_t microseconds(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000 + t->tv_nsec / 1000;
}

int realtime_measure(clockid_t clock, int64_t *ret)
{
	struct timespec before, there, after;

	if (clock_gettime(CLOCK_REALTIME, &before) < 0 || clock_gettime(clock, &there) < 0 ||
	    clock_gettime(CLOCK_REALTIME, &after) < 0)
		return -errno;
	*ret = microseconds(&there) - microseconds(&before) -
	       (microseconds(&after) - microseconds(&before)) / 2;
	return 0;
}

/* The host's clock; -ENODEV: there is none. */
static int find_clock(void)
{
	struct dir d;
	const char *name;
	unsigned char type;
	int fd = -ENODEV;
	int r = dir_open(&d, AT_FDCWD, CLASS);

	if (r < 0)
		return r == -ENOENT ? -ENODEV : r;
	while (fd < 0 && dir_next(&d, &name, &type) > 0) {
		struct line path = {.len = 0};
		char text[sizeof CLOCK_NAME + 1];

		line_printf(&path, CLASS "/%s/clock_name", name);
		if (file_read(AT_FDCWD, path.text, text, sizeof text, NULL) < 0 ||
		    strcmp(text, CLOCK_NAME) != 0)
			continue;
		line_reset(&path);
		line_printf(&path, "/dev/%s", name);
		fd = open(path.text, O_RDONLY | O_CLOEXEC);
	}
	dir_close(&d);
	return fd;
}

static void record_clock(int64_t offset, const char *state)
{
	record_begin(ABI_EVENT_CLOCK);
	record_text("source", "ptp_kvm");
	record_text("state", state);
	record_number(offset < 0 ? "ahead_us" : "behind_us", (uint64_t)(offset < 0 ? -offset : offset));
	record_end();
}

/* By what it is behind, at once. */
static bool step_by(int64_t offset)
{
	struct timespec t;
	int64_t now;

	if (clock_gettime(CLOCK_REALTIME, &t) < 0)
		return false;
	now = microseconds(&t) + offset;
	t.tv_sec = (time_t)(now / 1000000);
	t.tv_nsec = (long)(now % 1000000) * 1000;
	return clock_settime(CLOCK_REALTIME, &t) == 0;
}

static bool slew_by(int64_t offset)
{
	struct timex t = {.modes = ADJ_OFFSET_SINGLESHOT, .offset = (long)offset};

	return adjtimex(&t) >= 0;
}

static void follow(bool early)
{
	int64_t offset;
	enum realtime_action action;

	next = clock_ms() + FOLLOW_MS;
	if (realtime_measure(CLOCK_OF(ptp_fd), &offset) < 0)
		return;
	action = realtime_decide(offset, early);
	if (action == REALTIME_STEP && step_by(offset))
		record_clock(offset, "set");
	else if (action == REALTIME_SLEW)
		(void)slew_by(offset);
}

static size_t poll_nothing(struct pollfd *p, size_t max)
{
	(void)p;
	(void)max;
	return 0;
}

static uint64_t deadline(void)
{
	return next;
}

static void step(void)
{
	if (clock_ms() >= next)
		follow(false);
}

/* Other processors are asked by the driver. */
bool realtime_may_have_clock(void)
{
#if defined(__x86_64__)
	return hypervisor_is(HYPERVISOR_KVM);
#else
	return true;
#endif
}

void realtime_start(struct events *e)
{
	static struct event_source source = {.poll = poll_nothing, .deadline = deadline, .step = step};

	ptp_fd = find_clock();
	if (ptp_fd < 0)
		return;
	follow(true);
	events_add(e, &source);
}
