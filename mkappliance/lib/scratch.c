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

/* Its owner lives as long as the lock is held. */
static void remove_if_left(const char *path, void (*before)(const char *path))
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct error ignored = ERROR_INIT;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	log_debug("%s: left by a process that was killed; removed", path);
	if (before)
		before(path);
	(void)io_remove_tree(path, &ignored);
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

/* 1, or 0 when somebody took it for a left one before it was locked. */
static int make_one(const char *parent, const char *prefix, struct scratch *ret, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s" RANDOM, parent, prefix);
	_cleanup_close_ int fd = -EBADF;
	struct stat st;

	if (!mkdtemp(path))
		return error_errno(err, -errno, "%s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return error_errno(err, -errno, "%s: locking", path);
	if (lstat(path, &st) < 0)
		return 0;
	ret->path = steal_pointer(&path);
	ret->fd = steal_fd(&fd);
	return 1;
}

int scratch_open(const char *parent, const char *prefix, void (*before)(const char *path),
		 struct scratch *ret, struct error *err)
{
	const char *tmp = getenv("TMPDIR");
	int r;

	if (!parent)
		parent = tmp && tmp[0] == '/' ? tmp : "/tmp";
	remove_left(parent, prefix, before);
	do
		r = make_one(parent, prefix, ret, err);
	while (r == 0);
	return r < 0 ? r : 0;
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
