/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watch over a libguestfs appliance: a thread that ends its qemu, without which every call of libguestfs returns at
 * once, on what nobody in such a call can look at. And the last the appliance said.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "compose/disk_guest_internal.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"

#define WATCH_MS    250
#define SPACE_MIN   ((uint64_t)16 << 20) /* below that the disk under the overlay counts as full */
#define CONSOLE_MAX 4096
#define PANIC	    "Kernel panic"

/* ---- its console ---- */

/* GUESTFS_EVENT_APPLIANCE: what it prints, in pieces; in the thread that is in a call of libguestfs. */
static void on_console(guestfs_h *h, void *opaque, uint64_t event, int handle, int flags, const char *text,
		       size_t len, const uint64_t *array, size_t array_len)
{
	struct guest *g = opaque;

	(void)h, (void)event, (void)handle, (void)flags, (void)array, (void)array_len;
	buf_add(&g->console, text, len);
	if (g->console.len > 2 * CONSOLE_MAX) {
		memmove(g->console.ptr, g->console.ptr + g->console.len - CONSOLE_MAX, CONSOLE_MAX + 1);
		g->console.len = CONSOLE_MAX;
	}
}

/* What it last said: the line of its kernel's panic, or the last one; "nothing". To be freed. */
static char *last_line(const struct guest *g)
{
	const char *text = g->console.ptr ? g->console.ptr : "";
	const char *start = strstr(text, PANIC), *p;
	_cleanup_buf_ struct buf line = {0};

	if (!start)
		for (p = start = text; (p = strpbrk(p, "\r\n")) != NULL;)
			if (*(p += strspn(p, "\r\n ")) != 0)
				start = p;
	for (p = start; *p && !strchr("\r\n", *p); p++)
		if (*p >= ' ' && *p <= '~')
			buf_add(&line, p, 1);
	return line.len ? buf_steal(&line) : xstrdup("nothing");
}

int guest_error(struct guest *g, const char *what, struct error *err)
{
	const char *text = guestfs_last_error(g->handle);
	int number = guestfs_last_errno(g->handle);
	_cleanup_free_ char *said = NULL;

	if (interrupt_pending())
		return interrupt_check(err);
	if (atomic_load(&g->full))
		return error_set(err, -ENOSPC,
				 "%s: the disk is full: the changes to the base are kept there; make room or "
				 "use --cache",
				 g->dir);
	said = last_line(g);
	if (atomic_load(&g->late))
		return error_set(
			err, -ETIMEDOUT,
			"libguestfs: %s took more than %u s (its console said '%s'): try again when the "
			"machine is less busy, or give it longer (" GUEST_START_ENV "=SECONDS)",
			what, g->limit_s, said);
	if (strncmp(said, PANIC, strlen(PANIC)) == 0)
		return error_set(err, -EIO, "libguestfs: %s: its appliance died: '%s'; try again", what,
				 said);
	return error_set(err, number > 0 ? -number : -EIO, "libguestfs: %s: %s", what,
			 text ? text : "failed");
}

/* ---- the watch ---- */

static bool disk_is_full(const char *dir)
{
	struct statvfs s;

	return statvfs(dir, &s) == 0 && (uint64_t)s.f_bavail * s.f_frsize < SPACE_MIN;
}

/* Until guestfs_launch() returns libguestfs does not say it: the child of our thread that became a qemu. 0: none yet. */
static pid_t find_qemu(pid_t thread)
{
	_cleanup_free_ char *path = xasprintf("/proc/self/task/%d/children", (int)thread);
	_cleanup_buf_ struct buf children = {0};
	struct error ignored = ERROR_INIT;
	char *p, *end;

	if (io_read_file(AT_FDCWD, path, 65536, &children, &ignored) < 0 || !children.ptr)
		return 0;
	for (p = children.ptr;; p = end) {
		long pid = strtol(p, &end, 10);
		_cleanup_free_ char *comm = xasprintf("/proc/%ld/comm", pid);
		_cleanup_buf_ struct buf name = {0};

		if (end == p)
			return 0;
		if (io_read_file(AT_FDCWD, comm, 256, &name, &ignored) == 0 && name.ptr &&
		    strncmp(name.ptr, "qemu", 4) == 0)
			return (pid_t)pid;
	}
}

static void kill_qemu(struct guest *g)
{
	pid_t pid = atomic_load(&g->pid);

	if (pid <= 0)
		pid = find_qemu(g->caller);
	if (pid > 0)
		(void)kill(pid, SIGKILL);
}

static void *watch(void *data)
{
	struct guest *g = data;
	uint64_t deadline = clock_ns() + (uint64_t)g->limit_s * 1000000000;
	struct pollfd p[2] = {{.fd = g->stop[0], .events = POLLIN}, {.fd = interrupt_fd(), .events = POLLIN}};

	for (;;) {
		(void)poll(p, 2, WATCH_MS);
		if (p[0].revents)
			return NULL;
		if (disk_is_full(g->dir))
			atomic_store(&g->full, true);
		if (atomic_load(&g->pid) <= 0 && clock_ns() > deadline)
			atomic_store(&g->late, true);
		if (interrupt_pending() || atomic_load(&g->full) || atomic_load(&g->late))
			kill_qemu(g);
		/* The signal stays readable. */
		if (interrupt_pending())
			(void)poll(p, 1, WATCH_MS);
	}
}

int guest_watch_start(struct guest *g, struct error *err)
{
	int r;

	if (guestfs_set_event_callback(g->handle, on_console, GUESTFS_EVENT_APPLIANCE, 0, g) < 0)
		return guest_error(g, "its console", err);
	if (pipe2(g->stop, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "pipe");
	r = pthread_create(&g->thread, NULL, watch, g);
	if (r != 0)
		return error_errno(err, -r, "starting a thread");
	g->watched = true;
	return 0;
}

void guest_watch_stop(struct guest *g)
{
	if (g->watched) {
		(void)!write(g->stop[1], "", 1);
		(void)pthread_join(g->thread, NULL);
		g->watched = false;
	}
	cleanup_closep(&g->stop[0]);
	cleanup_closep(&g->stop[1]);
}
