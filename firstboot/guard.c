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
#include "forbidden.h"
#include "guard.h"
#include "image/abi.h"
#include "kmsg.h"
#include "record.h"
#include "uevent.h"

static int guard_fd = -1;
static int log_fd = -1;
static char guard_major[12];
static char guard_minor[12];
static char guard_name[sizeof(((struct verity_device *)0)->name)];
static struct disk_partition guarded[2]; /* the root, the hash tree */
static struct uevent guard_event;
static struct kmsg message;

static const char *const what_failed[2] = {"a data block", "a block of the hash tree"};

static void put_number(char *out, size_t size, unsigned v)
{
	struct line text = {.len = 0};

	line_printf(&text, "%u", v);
	if (text.len < size)
		memcpy(out, text.text, text.len + 1);
}

void guard_start(int uevent_fd, const struct verity_device *v, const struct disk_partition *data,
		 const struct disk_partition *hash)
{
	put_number(guard_major, sizeof guard_major, v->major);
	put_number(guard_minor, sizeof guard_minor, v->minor);
	memcpy(guard_name, v->name, sizeof guard_name);
	guarded[0] = *data;
	guarded[1] = *hash;
	log_fd = kmsg_open();
	if (log_fd < 0)
		refuse(ABI_REFUSED_VERITY, "/dev/kmsg, where read errors are told: %s", strerror(-log_fd));
	guard_fd = uevent_fd;
}

int guard_log_fd(void)
{
	return log_fd;
}

/* Begins the record; the caller adds what it knows. */
static void refused_begin(const char *reason)
{
	guard_fd = -1; /* not again from inside end.c */
	/* Whoever else writes to the console may be in the middle of a line. */
	(void)console_write("\n", 1);
	record_begin(ABI_EVENT_REFUSED);
	record_text("reason", reason);
}

/* @what is "TYPE,BLOCK": type 0 is a data block of the root, 1 a block of the hash tree. NULL: not known. */
static _Noreturn void refuse_corruption(const char *what)
{
	uint64_t block;
	bool known = what && what[0] && what[1] == ',' && conf_number(what + 2, 0, UINT64_MAX, &block);
	struct line detail = {.len = 0};

	line_printf(&detail, "%s does not match the root hash",
		    known && what ? what_failed[what[0] != '0'] : "a block");
	refused_begin(ABI_REFUSED_CORRUPTION);
	record_text("detail", detail.text);
	if (known)
		record_number("block", block);
	record_end();
	end_by_policy();
}

static bool is_guarded(const struct uevent *e)
{
	const char *major = uevent_get(e, "MAJOR"), *minor = uevent_get(e, "MINOR");
	struct line device = {.len = 0};

	if (!major || !minor)
		return false;
	line_printf(&device, "%s:%s", major, minor);
	return strcmp(device.text, guarded[0].device) == 0 || strcmp(device.text, guarded[1].device) == 0;
}

static void check_uevents(void)
{
	int r;

	while ((r = uevent_receive(guard_fd, &guard_event)) > 0) {
		const char *what = uevent_get(&guard_event, "DM_VERITY_ERR_BLOCK_NR");

		if (!uevent_is(&guard_event, "SUBSYSTEM", "block"))
			continue;
		if (what && uevent_is(&guard_event, "MAJOR", guard_major) &&
		    uevent_is(&guard_event, "MINOR", guard_minor))
			refuse_corruption(what);
		if (uevent_is(&guard_event, "ACTION", "remove") && is_guarded(&guard_event)) {
			refused_begin(ABI_REFUSED_READ_ERROR);
			record_text("detail", "the disk of the root is gone");
			record_end();
			end_by_policy();
		}
	}
	/* Uevents were lost, maybe the one: the device itself remembers. */
	if (r < 0 && verity_is_corrupted() != 0)
		refuse_corruption(NULL);
}

static _Noreturn void refuse_read_error(const struct kmsg_error *e, int which)
{
	struct line detail = {.len = 0};

	if (which < 0)
		line_printf(&detail, "the disk does not give a block of the root (%s)", e->device);
	else
		line_printf(&detail, "the disk does not give %s (%s, from sector %llu on)",
			    what_failed[which], e->device, (unsigned long long)e->sector);
	refused_begin(ABI_REFUSED_READ_ERROR);
	record_text("detail", detail.text);
	if (which >= 0)
		record_number("block", (e->sector - guarded[which].start) / (ABI_BLOCK_SIZE / 512));
	record_end();
	end_by_policy();
}

static void check_log(void)
{
	struct kmsg_error e;

	while (kmsg_receive(log_fd, &message) > 0) {
		int which = -1;

		forbidden_look(message.text);
		if (!kmsg_read_error(message.text, &e))
			continue;
		for (int i = 0; i < 2; i++)
			if (e.whole_disk && strcmp(e.device, guarded[i].disk) == 0 &&
			    e.sector >= guarded[i].start &&
			    e.sector - guarded[i].start < guarded[i].size / 512)
				which = i;
		if (which < 0 && (e.whole_disk || strcmp(e.device, guard_name) != 0))
			continue;
		/* A corrupted block is a read error too; its uevent came first, and says more. */
		check_uevents();
		refuse_read_error(&e, which);
	}
}

void guard_check(void)
{
	if (guard_fd < 0)
		return;
	check_uevents();
	check_log();
}

/* The child's life. */
static _Noreturn void guard_loop(void)
{
	for (;;) {
		struct pollfd p[2] = {{.fd = guard_fd, .events = POLLIN}, {.fd = log_fd, .events = POLLIN}};

		(void)poll(p, 2, -1);
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
