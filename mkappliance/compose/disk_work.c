/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/disk_work.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/disk_format.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/scratch.h"
#include "lib/spawn.h"

#define NAME	"disk-"
#define SOCKETS "sockets"
#define LOOK_NS 60000000000ull /* reading 64 KiB */

/* ---- the directory of libguestfs' sockets ---- */

/* What libguestfs makes: "/tmp/libguestfsAbCdEf". */
static bool is_socket_dir(const char *path)
{
	static const char prefix[] = "/libguestfs";
	const char *slash = strrchr(path, '/');

	return *path == '/' && strlen(slash) == strlen(prefix) + 6 &&
	       strncmp(slash, prefix, strlen(prefix)) == 0 && !strstr(path, "/..");
}

void disk_work_note_sockets(const char *dir, pid_t pid)
{
	_cleanup_free_ char *cmdline = xasprintf("/proc/%d/cmdline", (int)pid);
	_cleanup_free_ char *note = xasprintf("%s/" SOCKETS, dir);
	_cleanup_buf_ struct buf args = {0};
	struct error ignored = ERROR_INIT;

	if (io_read_file(AT_FDCWD, cmdline, (size_t)1 << 20, &args, &ignored) < 0)
		return;
	for (size_t at = 0; at < args.len; at += strlen(args.ptr + at) + 1) {
		const char *path = strstr(args.ptr + at, "path=/");
		_cleanup_free_ char *found = NULL;

		if (!path)
			continue;
		path += strlen("path=");
		found = xstrndup(path, strcspn(path, ","));
		*strrchr(found, '/') = 0;
		if (is_socket_dir(found)) {
			(void)output_write_file(note, found, strlen(found), &ignored);
			return;
		}
	}
}

static void remove_sockets(const char *dir)
{
	_cleanup_free_ char *note = xasprintf("%s/" SOCKETS, dir);
	_cleanup_buf_ struct buf path = {0};
	struct error ignored = ERROR_INIT;
	struct stat st;

	if (io_read_file(AT_FDCWD, note, 4096, &path, &ignored) < 0 || !path.ptr || !is_socket_dir(path.ptr))
		return;
	if (lstat(path.ptr, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		(void)io_remove_tree(path.ptr, &ignored);
}

/* ---- the directory ---- */

int disk_work_open(const struct cache *cache, struct scratch *ret, struct error *err)
{
	_cleanup_free_ char *dir = realpath(cache->dir, NULL), *parent = NULL;
	int r;

	if (!dir)
		return error_errno(err, -errno, "%s", cache->dir);
	parent = xasprintf("%s/work", dir);
	r = io_make_dirs(parent, 0755, err);
	return r < 0 ? r : scratch_open(parent, NAME, remove_sockets, ret, err);
}

/* ---- a first look at the image ---- */

static int read_head(const char *dir, const char *image, const char *format, struct buf *ret,
		     struct error *err)
{
	_cleanup_free_ char *out = xasprintf("%s/head", dir), *in = xasprintf("if=%s", image),
			    *of = xasprintf("of=%s", out), *bs = xasprintf("bs=%u", DISK_HEAD);
	const char *argv[] = {"qemu-img", "dd", "-f", format, "-O", "raw", bs, "count=1", in, of, NULL};
	struct spawn s = {.argv = argv, .package = "qemu-utils", .timeout_ns = LOOK_NS};
	int r = spawn_run(&s, err);

	if (r < 0)
		return r == -ENOENT ? r : error_prefix(err, "%s: is no sound %s disk", image, format);
	r = io_read_file(AT_FDCWD, out, DISK_HEAD, ret, err);
	(void)unlink(out);
	return r;
}

int disk_work_look(const struct scratch *w, const char *image, const char **ret_format, struct error *err)
{
	_cleanup_close_ int fd = open(image, O_RDONLY | O_CLOEXEC);
	_cleanup_buf_ struct buf head = {0};
	int r;

	if (fd < 0)
		return error_errno(err, -errno, "%s", image);
	r = disk_check_format(fd, image, ret_format, err);
	if (r < 0)
		return r;
	if (strcmp(*ret_format, "raw") == 0) {
		ssize_t n = pread(fd, buf_room(&head, DISK_HEAD), DISK_HEAD, 0);

		if (n < 0)
			return error_errno(err, -errno, "%s", image);
		head.len = (size_t)n;
	} else {
		r = read_head(w->path, image, *ret_format, &head, err);
		if (r < 0)
			return r;
	}
	return disk_check_table(head.ptr, head.len, image, err);
}
