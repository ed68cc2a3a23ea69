/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be installed, all in one directory; declared in rpm_internal.h. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/rpm_internal.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"

#define CHUNK ((size_t)1 << 20)

/* A copy of our own, of the bytes whose digest names the layer in the cache. */
static int copy_file(const struct rpm_job *job, const struct rpm_file *f, struct strlist *ret,
		     struct error *err)
{
	const char *slash = strrchr(f->path, '/');
	_cleanup_free_ char *to = xasprintf("%s/packages/%s", job->s->scratch, slash ? slash + 1 : f->path);
	_cleanup_close_ int in = open(f->path, O_RDONLY | O_CLOEXEC), out = -EBADF;
	_cleanup_free_ char *chunk = xmalloc(CHUNK);
	struct sha256 digest;
	ssize_t n;
	int r;

	if (in < 0)
		return error_errno(err, -errno, "%s", f->path);
	out = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (out < 0 && errno == EEXIST)
		return error_usage(err, "%s: another package of [Package] Path= has the same file name",
				   f->path);
	if (out < 0)
		return error_errno(err, -errno, "%s", to);
	while ((n = read(in, chunk, CHUNK)) > 0) {
		r = io_write_full(out, to, chunk, (size_t)n, err);
		if (r < 0)
			return r;
	}
	if (n < 0)
		return error_errno(err, -errno, "%s", f->path);
	r = sha256_of_fd(out, to, &digest, NULL, err);
	if (r < 0)
		return r;
	if (memcmp(&digest, &f->digest, sizeof(digest)) != 0)
		return error_set(err, -ESTALE, "%s: was changed while it was being read; build again",
				 f->path);
	strlist_add(ret, to);
	return 0;
}

/*
 * Left by a dnf that was killed: the number of a process of its sandbox. The next one would look for it among the host's, where it may be
 * somebody's, and wait for that one to end.
 */
static void remove_stale_locks(const char *dir)
{
	static const char *const names[] = {"metadata_lock.pid", "download_lock.pid"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", dir, names[i]);

		(void)unlink(path);
	}
}

/* dnf's cache of a list of repositories is used by one build at a time: its own locks do not see into a sandbox. */
static int lock_metadata(const char *dir, int *ret, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/lock", dir);
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		return error_errno(err, -errno, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		log_note("    another build asks the same repositories; waiting");
		if (flock(fd, LOCK_EX) < 0)
			return error_errno(err, -errno, "%s: locking", path);
	}
	remove_stale_locks(dir);
	*ret = steal_fd(&fd);
	return 0;
}

static bool is_listed(const struct strlist *l, const char *path)
{
	for (size_t i = 0; i < l->len; i++)
		if (strcmp(l->ptr[i], path) == 0)
			return true;
	return false;
}

/* The application's first, then by name. */
static int list_downloads(struct rpm_job *job, const struct strlist *files, struct error *err)
{
	_cleanup_free_ char *pattern = xasprintf("%s/packages/*.rpm", job->s->scratch);
	glob_t g = {0};
	int r = glob(pattern, 0, NULL, &g);

	for (size_t i = 0; i < files->len; i++)
		strlist_add(&job->downloads, files->ptr[i]);
	for (size_t i = 0; r == 0 && i < g.gl_pathc; i++)
		if (!is_listed(files, g.gl_pathv[i]))
			strlist_add(&job->downloads, g.gl_pathv[i]);
	globfree(&g);
	if (job->downloads.len == 0)
		return error_set(err, -ENOENT, "there is nothing to install");
	return 0;
}

int rpm_fetch(struct rpm_job *job, struct error *err)
{
	_cleanup_free_ char *config = xasprintf("%s/dnf.conf", job->s->scratch), *metadata = NULL;
	const char *hex = strrchr(job->metadata, '/') + 1;
	const struct rpm_manager *m = rpm_manager();
	_cleanup_strlist_ struct strlist files = {0};
	_cleanup_close_ int lock = -EBADF;
	int r = 0;

	if (!m)
		return error_set(
			err, -ENOENT,
			"'dnf' is not installed (apt-get install dnf); dnf5 or microdnf would do too");
	/* DIR/work/NAME/root is the root, DIR/dnf/HEX what is kept. */
	metadata = xasprintf("/../../../dnf/%s", hex);
	for (size_t i = 0; r == 0 && i < job->file_count; i++)
		r = copy_file(job, &job->files[i], &files, err);
	if (r == 0)
		r = rpm_configure(job, m, config, metadata, err);
	if (r == 0)
		r = lock_metadata(job->metadata, &lock, err);
	if (r == 0)
		r = rpm_solve(job, m, config, &files, err);
	return r < 0 ? r : list_downloads(job, &files, err);
}
