/* SPDX-License-Identifier: Apache-2.0 */
/* The directories of one run, and what killed runs have left; declared in sandbox_internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/sandbox_internal.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"

#define LOCK_SUFFIX ".lock"
#define TRIES	    100

/* Opens and takes the lock unless somebody has it; -1: not now. */
static int try_lock(int dirfd, const char *name, int flags)
{
	_cleanup_close_ int fd = openat(dirfd, name, flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0 || st.st_nlink == 0)
		return -1;
	return steal_fd(&fd);
}

/* The lock goes last: as long as it is there somebody will come back for the rest. */
static int remove_work(const char *dir, struct error *err)
{
	_cleanup_free_ char *lock = xasprintf("%s" LOCK_SUFFIX, dir);
	int r = io_remove_tree(dir, err);

	if (r == 0 && unlink(lock) < 0 && errno != ENOENT)
		r = error_errno(err, -errno, "%s", lock);
	return r;
}

void sandbox_work_clean(const char *cache_dir)
{
	_cleanup_free_ char *path = xasprintf("%s/work", cache_dir);
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *de;

	while (dir && (de = readdir(dir))) {
		size_t len = strlen(de->d_name), suffix = strlen(LOCK_SUFFIX);
		_cleanup_close_ int lock = -EBADF;
		_cleanup_free_ char *work = NULL;
		struct error ignored = ERROR_INIT;

		if (len <= suffix || strcmp(de->d_name + len - suffix, LOCK_SUFFIX) != 0)
			continue;
		lock = try_lock(dirfd(dir), de->d_name, 0);
		if (lock < 0)
			continue;
		work = xasprintf("%s/%.*s", path, (int)(len - suffix), de->d_name);
		log_debug("removing what a build that was killed has left: %s", work);
		if (remove_work(work, &ignored) < 0)
			log_warning("%s: %s", work, ignored.text);
	}
}

static int make_dirs(struct sandbox_work *w, struct error *err)
{
	static const char *const below[] = {"", "/root", "/scratch", "/upper", "/work"};

	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		_cleanup_free_ char *path = xasprintf("%s%s", w->dir, below[i]);

		if (mkdir(path, 0755) < 0 || chmod(path, 0755) < 0)
			return error_errno(err, -errno, "%s", path);
	}
	return 0;
}

int sandbox_work_open(const char *cache_dir, struct sandbox_work *ret, struct error *err)
{
	_cleanup_free_ char *parent = xasprintf("%s/work", cache_dir);
	struct sandbox_work w = SANDBOX_WORK_INIT;
	int r = io_make_dirs(parent, 0755, err);

	for (unsigned i = 0; r == 0 && w.lock < 0; i++) {
		_cleanup_free_ char *lock = NULL;

		free(w.dir);
		w.dir = xasprintf("%s/%ju-%u", parent, (uintmax_t)(clock_ns() % 1000000000000u), i);
		lock = xasprintf("%s" LOCK_SUFFIX, w.dir);
		w.lock = try_lock(AT_FDCWD, lock, O_CREAT | O_EXCL);
		if (w.lock < 0 && i >= TRIES)
			r = error_errno(err, -errno, "%s", lock);
	}
	if (r == 0) {
		w.root = xasprintf("%s/root", w.dir);
		w.scratch = xasprintf("%s/scratch", w.dir);
		r = make_dirs(&w, err);
	}
	*ret = w; /* also on failure: what was made is to be removed */
	return r;
}

int sandbox_work_close(struct sandbox_work *w, struct error *err)
{
	int r = 0;

	if (w->lock >= 0)
		r = remove_work(w->dir, err);
	cleanup_closep(&w->lock);
	free(w->dir);
	free(w->root);
	free(w->scratch);
	*w = SANDBOX_WORK_INIT;
	return r;
}
