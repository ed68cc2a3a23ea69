/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"

#define RANDOM "XXXXXX"
#define TRIES  10

/*
 * The directory, locked, when it is still the one of that name and ours; -1 when somebody has it or has just removed it. Its owner lives
 * as long as the lock is held.
 */
static int lock_dir(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct stat held, named;

	if (fd < 0 || fstat(fd, &held) < 0 || held.st_uid != geteuid() || flock(fd, LOCK_EX | LOCK_NB) < 0 ||
	    lstat(path, &named) < 0 || named.st_ino != held.st_ino || named.st_dev != held.st_dev)
		return -1;
	return steal_fd(&fd);
}

static void remove_if_left(const char *path, void (*before)(const char *path))
{
	_cleanup_close_ int fd = lock_dir(path);
	struct error err = ERROR_INIT;

	if (fd < 0)
		return;
	log_debug("%s: left by a process that was killed; removed", path);
	if (before)
		before(path);
	if (io_remove_tree(path, &err) < 0)
		log_warning("%s", err.text);
}

static void remove_left(const char *parent, const char *prefix, void (*before)(const char *path))
{
	_cleanup_closedir_ DIR *d = opendir(parent);
	size_t len = strlen(prefix);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (strncmp(e->d_name, prefix, len) == 0 && strlen(e->d_name) == len + strlen(RANDOM)) {
			_cleanup_free_ char *path = xasprintf("%s/%s", parent, e->d_name);

			remove_if_left(path, before);
		}
}

static int make_dir(const char *parent, const char *prefix, struct scratch *ret, struct error *err)
{
	for (int i = 0; i < TRIES; i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s" RANDOM, parent, prefix);
		int fd;

		if (!mkdtemp(path))
			return error_errno(err, -errno, "%s: creating a directory there", path);
		fd = lock_dir(path);
		if (fd < 0)
			continue; /* somebody saw it before it was locked, and removed it as left */
		ret->path = steal_pointer(&path);
		ret->fd = fd;
		return 0;
	}
	return error_set(err, -EAGAIN, "%s: a new directory there disappears at once", parent);
}

int scratch_open(const char *parent, const char *prefix, void (*before)(const char *path),
		 struct scratch *ret, struct error *err)
{
	const char *tmp = getenv("TMPDIR");

	if (!parent)
		parent = tmp && tmp[0] == '/' ? tmp : "/tmp";
	remove_left(parent, prefix, before);
	return make_dir(parent, prefix, ret, err);
}

void scratch_close(struct scratch *s)
{
	struct error ignored = ERROR_INIT;

	if (s->path)
		(void)io_remove_tree(s->path, &ignored);
	cleanup_closep(&s->fd);
	free(s->path);
	*s = SCRATCH_INIT;
}
