/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "file.h"

/* syslog(2), SYSLOG_ACTION_CONSOLE_OFF and _ON. */
#define KLOG_CONSOLE_OFF 6
#define KLOG_CONSOLE_ON	 7

#define DRAIN_STEP_MS 2	     /* longer than a port takes to send what is in its own queue */
#define DRAIN_STEP_NS 100000 /* where the port says when it has */

static int console_fd = -1;
static bool console_torn; /* the last line was cut off */

void console_open(void)
{
	struct termios t;

	console_fd = open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (console_fd < 0) {
		console_fd = open("/dev/kmsg", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
		return;
	}
	if (tcgetattr(console_fd, &t) < 0)
		return; /* not a terminal: nothing to take away */
	t.c_iflag &= ~(tcflag_t)(IXON | IXOFF | IXANY);
	t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ISIG);
	(void)tcsetattr(console_fd, TCSANOW, &t);
}

/* Waits until the console takes more. */
static int console_wait(uint64_t deadline)
{
	struct pollfd p = {.fd = console_fd, .events = POLLOUT};
	uint64_t now = clock_ms();

	if (now >= deadline)
		return -EAGAIN;
	if (poll(&p, 1, (int)(deadline - now)) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

bool console_ready(void)
{
	struct pollfd p = {.fd = console_fd, .events = POLLOUT};

	return console_fd >= 0 && poll(&p, 1, 0) > 0;
}

static int console_put(const char *line, size_t len)
{
	uint64_t deadline = clock_ms() + CONSOLE_PATIENCE_MS;

	while (len) {
		ssize_t n = write(console_fd, line, len);

		if (n >= 0) {
			line += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			int r = console_wait(deadline);

			if (r < 0)
				return r;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int console_write(const char *line, size_t len)
{
	int r;

	if (console_fd < 0)
		return -ENODEV;
	r = console_torn ? console_put("\n", 1) : 0;
	if (r == 0)
		r = console_put(line, len);
	console_torn = r < 0;
	return r;
}

/*
 * Waits until the line has left the terminal's buffer, and the port's. Not tcdrain(3), which waits for ever where nobody reads
 * at the other end.
 */
static void console_drain(void)
{
	static const struct timespec step = {.tv_nsec = DRAIN_STEP_NS};
	uint64_t deadline = clock_ms() + CONSOLE_PATIENCE_MS;
	int left = 0, port = 0;

	while (ioctl(console_fd, TIOCOUTQ, &left) == 0) {
		bool tells = ioctl(console_fd, TIOCSERGETLSR, &port) == 0;

		if (left == 0 && tells && (port & TIOCSER_TEMT))
			return;
		if (tells)
			(void)nanosleep(&step, NULL);
		else
			(void)poll(NULL, 0, DRAIN_STEP_MS);
		if ((left == 0 && !tells) || clock_ms() >= deadline)
			return;
	}
}

/*
 * The kernel writes to the serial port beside the terminal's buffer, so a message of its own could end up
 * inside ours. For the few milliseconds of a record it writes to its log alone. Where that is not permitted
 * the record goes out as it is.
 */
int console_write_record(const char *line, size_t len)
{
	int quiet = klogctl(KLOG_CONSOLE_OFF, NULL, 0);
	int r = console_write(line, len);

	/* Only a console that takes our bytes is waited for. */
	if (r == 0)
		console_drain();
	if (quiet == 0)
		(void)klogctl(KLOG_CONSOLE_ON, NULL, 0);
	return r;
}
