/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "end.h"
#include "file.h"
#include "image/abi.h"
#include "line.h"
#include "writable.h"

/*
 * All that is writable but /run is one tmpfs, so that its size is the limit of them together: a full one is ENOSPC to its writers
 * and no end of memory to all. /run is another, for what keeps the appliance going when the first is full.
 */
#define SHARED	       "/run" /* where it lies while the places are made; then it is covered */
#define SHARED_SIZE    "25%"
#define SHARED_INODES  "65536"
#define RUN_LIMIT      "size=5%,nr_inodes=8192"
#define SKELETON_DEPTH 16
#define SKELETON_MAX   8192 /* directories and links in all; more, or deeper, is -EMLINK */

static unsigned skeleton_count;
static char link_target[PATH_MAX];

static int copy_link(int from, int to, const char *name, const struct stat *st)
{
	ssize_t n = readlinkat(from, name, link_target, sizeof link_target - 1);

	if (n < 0)
		return -errno;
	link_target[n] = '\0';
	if (symlinkat(link_target, to, name) < 0 ||
	    fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

/* Mode after owner: a change of owner may take set-group-id away. */
static int copy_directory(int to, const char *name, const struct stat *st)
{
	if (mkdirat(to, name, 0700) < 0 ||
	    fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(to, name, st->st_mode & 07777, 0) < 0)
		return -errno;
	return 0;
}

static int copy_skeleton(int from, int to, unsigned depth);

static int copy_entry(int from, int to, const char *name, unsigned depth)
{
	struct stat st;
	int below, r;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode))
		return 0;
	if (++skeleton_count > SKELETON_MAX)
		return -EMLINK;
	if (S_ISLNK(st.st_mode))
		return copy_link(from, to, name, &st);
	r = copy_directory(to, name, &st);
	if (r < 0)
		return r;
	below = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (below < 0)
		return -errno;
	from = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = from < 0 ? -errno : copy_skeleton(from, below, depth - 1);
	if (from >= 0)
		close(from);
	close(below);
	return r;
}

/* Directories and links below @from to @to. */
static int copy_skeleton(int from, int to, unsigned depth)
{
	struct dir d;
	const char *name;
	unsigned char type;
	int r;

	if (depth == 0)
		return -EMLINK;
	r = dir_open(&d, from, ".");
	if (r < 0)
		return r;
	while ((r = dir_next(&d, &name, &type)) > 0) {
		if (type != DT_DIR && type != DT_LNK && type != DT_UNKNOWN)
			continue;
		r = copy_entry(from, to, name, depth);
		if (r < 0)
			break;
	}
	dir_close(&d);
	return r < 0 ? r : 0;
}

/* @path with the mode and owner of @st and the skeleton of @from, in a new directory @to. */
static int fill(int from, const char *to, const struct stat *st)
{
	int fd = open(to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (fchown(fd, st->st_uid, st->st_gid) < 0 || fchmod(fd, st->st_mode & 07777) < 0)
		r = -errno;
	if (r == 0)
		r = copy_skeleton(from, fd, SKELETON_DEPTH);
	close(fd);
	return r;
}

/* A directory of the shared tmpfs over @path; -ENOENT when the root has no such directory. */
static int mount_writable(const char *path)
{
	static unsigned count;
	struct line place = {.len = 0};
	struct stat st;
	int from = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r;

	if (from < 0)
		return -errno;
	line_printf(&place, SHARED "/%u", count++);
	r = fstat(from, &st) < 0 || mkdir(place.text, 0700) < 0 ? -errno : 0;
	if (r == 0)
		r = fill(from, place.text, &st);
	/* The bind mount has the flags of what it is bound from. */
	if (r == 0 && mount(place.text, path, NULL, MS_BIND, NULL) < 0)
		r = -errno;
	close(from);
	return r;
}

/* The shared tmpfs, over the /run that the root must have. @ret_run is what it covers. */
static int mount_shared(const struct conf *c, int *ret_run, struct stat *ret_st)
{
	struct line options = {.len = 0};

	line_printf(&options, "mode=0755,nr_inodes=" SHARED_INODES ",size=%s",
		    c->writable_size ? c->writable_size : SHARED_SIZE);
	*ret_run = open(SHARED, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_run < 0 || fstat(*ret_run, ret_st) < 0 ||
	    mount("tmpfs", SHARED, "tmpfs", MS_NOSUID | MS_NODEV, options.text) < 0)
		return -errno;
	return 0;
}

/* /run itself, in place of the shared one, which goes on below its other names. */
static int mount_run(int from, const struct stat *st)
{
	int r = 0;

	if (umount2(SHARED, MNT_DETACH) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, RUN_LIMIT) < 0)
		r = -errno;
	if (r == 0)
		r = fill(from, "/run", st);
	close(from);
	return r;
}

/* What programs expect below /dev beside the kernel's own nodes. */
static int mount_dev(void)
{
	static const char *const links[][2] = {
		{"/proc/self/fd", "/dev/fd"},
		{"/proc/self/fd/0", "/dev/stdin"},
		{"/proc/self/fd/1", "/dev/stdout"},
		{"/proc/self/fd/2", "/dev/stderr"},
	};

	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
		if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
			return -errno;
	if ((mkdir("/dev/pts", 0755) < 0 && errno != EEXIST) ||
	    (mkdir("/dev/shm", 01777) < 0 && errno != EEXIST))
		return -errno;
	if (mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666,mode=0620,gid=5") < 0)
		return -errno;
	return chmod("/dev/shm", 01777) < 0 ? -errno : mount_writable("/dev/shm");
}

void writable_mount_all(const struct conf *c)
{
	static const char *const always[] = {"/tmp", "/var/tmp", "/var/log"};
	struct stat st;
	int run, r = mount_shared(c, &run, &st);

	if (r < 0)
		fail(ABI_FAILED_SETUP, "tmpfs over /run: %s", strerror(-r));
	r = mount_dev();

	if (r < 0)
		fail(ABI_FAILED_SETUP, "/dev/pts or /dev/shm: %s", strerror(-r));
	for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
		r = mount_writable(always[i]);
		/* A root made by hand need not have them, and /var/log may be a link to another. */
		if (r < 0 && r != -ENOENT && r != -ENOTDIR && r != -ELOOP)
			fail(ABI_FAILED_SETUP, "tmpfs over %s: %s", always[i], strerror(-r));
	}
	for (size_t i = 0; i < c->writable.len; i++) {
		r = mount_writable(c->writable.ptr[i]);
		if (r < 0)
			fail(ABI_FAILED_SETUP, "Writable=%s: %s", c->writable.ptr[i], strerror(-r));
	}
	r = mount_run(run, &st);
	if (r < 0)
		fail(ABI_FAILED_SETUP, "tmpfs over /run: %s", strerror(-r));
}
