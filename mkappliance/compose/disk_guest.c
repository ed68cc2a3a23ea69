/* SPDX-License-Identifier: Apache-2.0 */
/* libguestfs lives in disk_guest*.c and nowhere else in this room: here, its settings, its start and its end. */
#include "compose/disk_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <unistd.h>

#include "compose/disk_guest_internal.h"
#include "compose/disk_work.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/kvm.h"
#include "lib/log.h"
#include "lib/spawn.h"

#define MEMORY_MIB    2048 /* of the appliance, for dnf's solver; where the host has plenty */
#define MEMORY_PLENTY ((uint64_t)4 << 30)
#define START_S	      300 /* within which the appliance must have started, unless GUEST_START_ENV says otherwise */
#define START_MAX_S   86400

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

	if (r == -EINTR || r == -ENOSPC || r == -ETIMEDOUT || getenv("LIBGUESTFS_HV"))
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

/* Emulated on a busy machine the appliance has been seen to compute without end. */
static int start_limit(unsigned *ret, struct error *err)
{
	const char *text = getenv(GUEST_START_ENV);
	char *end = NULL;
	unsigned long value;

	*ret = START_S;
	if (!text)
		return 0;
	value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || value == 0 || value > START_MAX_S)
		return error_usage(err, GUEST_START_ENV ": '%s' is not a number of seconds from 1 to %d",
				   text, START_MAX_S);
	*ret = (unsigned)value;
	return 0;
}

/* Under the watch. */
static int launch(struct guest *g, struct error *err)
{
	struct progress p;

	progress_start(&p, "starting libguestfs", NULL, 0);
	if (guestfs_launch(g->handle) < 0)
		return launch_error(g, err);
	atomic_store(&g->pid, guestfs_get_pid(g->handle));
	disk_work_note_sockets(g->dir, atomic_load(&g->pid));
	progress_end(&p, NULL);
	return 0;
}

int guest_start(const struct guest_options *options, struct guest **ret, struct error *err)
{
	_cleanup_guest_ struct guest *g = xcalloc(1, sizeof(*g));
	int r;

	g->stop[0] = g->stop[1] = -EBADF;
	g->dir = xstrdup(options->dir);
	g->network = options->network;
	g->caller = gettid();
	r = start_limit(&g->limit_s, err);
	if (r < 0)
		return r;
	g->handle = guestfs_create_flags(GUESTFS_CREATE_NO_CLOSE_ON_EXIT);
	if (!g->handle)
		return error_set(err, -ENOMEM, "libguestfs: no handle");
	r = configure(g, options, err);
	if (r == 0)
		r = guest_watch_start(g, err);
	if (r == 0)
		r = interrupt_check(err);
	if (r == 0)
		r = launch(g, err);
	if (r == 0)
		*ret = steal_pointer(&g);
	return r;
}

void guest_free(struct guest *g)
{
	if (!g)
		return;
	guest_watch_stop(g);
	if (g->handle)
		guestfs_close(g->handle);
	buf_free(&g->console);
	free(g->dir);
	free(g->work);
	free(g);
}

void guest_freep(struct guest **g)
{
	guest_free(*g);
}
