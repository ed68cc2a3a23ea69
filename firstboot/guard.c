/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "console.h"
#include "end.h"
#include "file.h"
#include "guard.h"
#include "image/abi.h"
#include "record.h"
#include "uevent.h"

static int guard_fd = -1;
static char guard_major[12];
static char guard_minor[12];
static struct uevent guard_event;

static void put_number(char *out, size_t size, unsigned v)
{
	struct line text = {.len = 0};

	line_printf(&text, "%u", v);
	if (text.len < size)
		memcpy(out, text.text, text.len + 1);
}

void guard_start(int uevent_fd, const struct verity_device *v)
{
	put_number(guard_major, sizeof guard_major, v->major);
	put_number(guard_minor, sizeof guard_minor, v->minor);
	guard_fd = uevent_fd;
}

/* @what is "TYPE,BLOCK": type 0 is a data block of the root, 1 a block of the hash tree. NULL: not known. */
static _Noreturn void guard_refuse(const char *what)
{
	uint64_t block;
	bool known = what && what[0] && what[1] == ',' && conf_number(what + 2, 0, UINT64_MAX, &block);

	guard_fd = -1; /* not again from inside end.c */
	/* Whoever else writes to the console may be in the middle of a line. */
	(void)console_write("\n", 1);
	record_begin(ABI_EVENT_REFUSED);
	record_text("reason", ABI_REFUSED_CORRUPTION);
	record_text("detail", !known	       ? "a block does not match the root hash"
			      : what[0] == '0' ? "a data block does not match the root hash"
					       : "a block of the hash tree does not match the root hash");
	if (known)
		record_number("block", block);
	record_end();
	end_by_policy();
}

void guard_check(void)
{
	int r;

	if (guard_fd < 0)
		return;
	while ((r = uevent_receive(guard_fd, &guard_event)) > 0) {
		const char *what = uevent_get(&guard_event, "DM_VERITY_ERR_BLOCK_NR");

		if (what && uevent_is(&guard_event, "SUBSYSTEM", "block") &&
		    uevent_is(&guard_event, "MAJOR", guard_major) &&
		    uevent_is(&guard_event, "MINOR", guard_minor))
			guard_refuse(what);
	}
	/* Uevents were lost, maybe the one: the device itself remembers. */
	if (r < 0 && verity_is_corrupted() != 0)
		guard_refuse(NULL);
}

/* The child's life. */
static _Noreturn void guard_loop(void)
{
	for (;;) {
		struct pollfd p = {.fd = guard_fd, .events = POLLIN};

		(void)poll(&p, 1, -1);
		guard_check();
	}
}

int guard_leave_behind(char *argv0)
{
	int pipe_fds[2];
	pid_t pid;
	char c;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid != 0) {
		int r = pid < 0 ? -errno : 0;

		close(pipe_fds[0]);
		return r;
	}
	close(pipe_fds[1]);
	while (read(pipe_fds[0], &c, 1) < 0 && errno == EINTR)
		;
	argv0[0] = '@';
	(void)prctl(PR_SET_NAME, "@verity-guard");
	(void)file_write_text("/proc/self/oom_score_adj", "-1000");
	guard_loop();
}
