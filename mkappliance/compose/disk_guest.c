/* SPDX-License-Identifier: Apache-2.0 */
/* libguestfs lives in disk_guest*.c and nowhere else in this room: here, its start and its end. */
#include "compose/disk_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "compose/disk_guest_internal.h"
#include "compose/disk_work.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/kvm.h"
#include "lib/log.h"
#include "lib/spawn.h"

#define WATCH_MS      250
#define SPACE_MIN     ((uint64_t)16 << 20) /* below that the disk under the overlay counts as full */
#define MEMORY_MIB    2048		   /* of the appliance, for dnf's solver; where the host has plenty */
#define MEMORY_PLENTY ((uint64_t)4 << 30)

int guest_error(struct guest *g, const char *what, struct error *err)
{
	const char *text = guestfs_last_error(g->handle);
	int number = guestfs_last_errno(g->handle);

	if (interrupt_pending())
		return interrupt_check(err);
	if (atomic_load(&g->full))
		return error_set(err, -ENOSPC,
				 "%s: the disk is full: the changes to the base are kept there; make room or "
				 "use --cache",
				 g->dir);
	return error_set(err, number > 0 ? -number : -EIO, "libguestfs: %s: %s", what,
			 text ? text : "failed");
}

/* ---- the watch: what nobody in a call of libguestfs can look at ---- */

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

/* Without its qemu every call of libguestfs returns at once. */
static void *watch(void *data)
{
	struct guest *g = data;
	struct pollfd p[2] = {{.fd = g->stop[0], .events = POLLIN}, {.fd = interrupt_fd(), .events = POLLIN}};

	for (;;) {
		pid_t pid;

		(void)poll(p, 2, WATCH_MS);
		if (p[0].revents)
			return NULL;
		if (disk_is_full(g->dir))
			atomic_store(&g->full, true);
		if (interrupt_pending() || atomic_load(&g->full)) {
			pid = atomic_load(&g->pid);
			if (pid <= 0)
				pid = find_qemu(g->caller);
			if (pid > 0)
				(void)kill(pid, SIGKILL);
		}
		/* The signal stays readable. */
		if (interrupt_pending())
			(void)poll(p, 1, WATCH_MS);
	}
}

/* ---- start ---- */

/* supermin makes the appliance's kernel of one of the host's. */
static bool kernel_readable(void)
{
	glob_t found = {0};
	bool readable = false;

	if (glob("/boot/vmlinu?-*", 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			readable |= access(found.gl_pathv[i], R_OK) == 0;
	globfree(&found);
	return readable;
}

/* libguestfs says that it failed; why is mostly one of these. */
static int launch_error(struct guest *g, struct error *err)
{
	const char *text = guestfs_last_error(g->handle);
	int r = guest_error(g, "starting its appliance", err);

	if (r == -EINTR || r == -ENOSPC || getenv("LIBGUESTFS_HV"))
		return r;
	if (!spawn_available("qemu-system-" HOST_ARCH))
		return error_set(err, -ENOENT,
				 "libguestfs: 'qemu-system-" HOST_ARCH
				 "' is not installed (apt-get install " HOST_QEMU ")");
	if (text && strstr(text, "LIBGUESTFS_PATH"))
		return error_set(err, -ENOENT,
				 "libguestfs: its appliance is not installed (apt-get install libguestfs0 "
				 "supermin); LIBGUESTFS_PATH=%s",
				 getenv("LIBGUESTFS_PATH") ? getenv("LIBGUESTFS_PATH") : "");
	if (!getenv("SUPERMIN_KERNEL") && !kernel_readable())
		return error_set(err, -EACCES,
				 "libguestfs: its appliance needs a kernel in /boot that you may read: as "
				 "root, chmod 0644 /boot/vmlinuz-* (or apt-get install "
				 "linux-image-cloud-amd64 where there is none)");
	return error_prefix(err, "the base's disk was not opened (libguestfs-test-tool says more)");
}

static uint64_t memory_available(void)
{
	_cleanup_buf_ struct buf b = {0};
	struct error ignored = ERROR_INIT;
	const char *line;

	if (io_read_file(AT_FDCWD, "/proc/meminfo", 65536, &b, &ignored) < 0 || !b.ptr)
		return 0;
	line = strstr(b.ptr, "MemAvailable:");
	return line ? strtoull(line + strlen("MemAvailable:"), NULL, 10) * 1024 : 0;
}

static int configure(struct guest *g, const struct guest_options *o, struct error *err)
{
	guestfs_h *h = g->handle;

	guestfs_set_error_handler(h, NULL, NULL);
	if (!getenv("LIBGUESTFS_BACKEND") && guestfs_set_backend(h, "direct") < 0)
		return guest_error(g, "backend 'direct'", err);
	/* libguestfs itself looks at /dev/kvm only, and hangs where the processor does not help. */
	if (!kvm_is_real() && guestfs_set_backend_setting(h, "force_tcg", "1") < 0)
		return guest_error(g, "force_tcg", err);
	if (!getenv("LIBGUESTFS_MEMSIZE") && memory_available() > MEMORY_PLENTY &&
	    guestfs_set_memsize(h, MEMORY_MIB) < 0)
		return guest_error(g, "memory of its appliance", err);
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1 && guestfs_set_smp(h, 2) < 0)
		return guest_error(g, "processors of its appliance", err);
	if (guestfs_set_network(h, o->network) < 0 || guestfs_set_tmpdir(h, g->dir) < 0)
		return guest_error(g, "its settings", err);
	/* "Read only" is an overlay in its directory that takes the changes. */
	if (guestfs_add_drive_opts(h, o->image, GUESTFS_ADD_DRIVE_OPTS_READONLY, 1,
				   GUESTFS_ADD_DRIVE_OPTS_FORMAT, o->format, -1) < 0)
		return guest_error(g, o->image, err);
	return 0;
}

static int start_watch(struct guest *g, struct error *err)
{
	int r;

	if (pipe2(g->stop, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "pipe");
	r = pthread_create(&g->thread, NULL, watch, g);
	if (r != 0)
		return error_errno(err, -r, "starting a thread");
	g->watched = true;
	return 0;
}

int guest_start(const struct guest_options *options, struct guest **ret, struct error *err)
{
	_cleanup_guest_ struct guest *g = xcalloc(1, sizeof(*g));
	struct progress p;
	int r;

	g->stop[0] = g->stop[1] = -EBADF;
	g->dir = xstrdup(options->dir);
	g->network = options->network;
	g->caller = gettid();
	g->handle = guestfs_create_flags(GUESTFS_CREATE_NO_CLOSE_ON_EXIT);
	if (!g->handle)
		return error_set(err, -ENOMEM, "libguestfs: no handle");
	r = configure(g, options, err);
	if (r == 0)
		r = start_watch(g, err);
	if (r == 0)
		r = interrupt_check(err);
	if (r < 0)
		return r;
	progress_start(&p, "starting libguestfs", NULL, 0);
	if (guestfs_launch(g->handle) < 0)
		return launch_error(g, err);
	atomic_store(&g->pid, guestfs_get_pid(g->handle));
	disk_work_note_sockets(g->dir, atomic_load(&g->pid));
	progress_end(&p, NULL);
	*ret = steal_pointer(&g);
	return 0;
}

void guest_free(struct guest *g)
{
	if (!g)
		return;
	if (g->watched) {
		(void)!write(g->stop[1], "", 1);
		(void)pthread_join(g->thread, NULL);
	}
	cleanup_closep(&g->stop[0]);
	cleanup_closep(&g->stop[1]);
	if (g->handle)
		guestfs_close(g->handle);
	free(g->dir);
	free(g->work);
	free(g);
}

void guest_freep(struct guest **g)
{
	guest_free(*g);
}
