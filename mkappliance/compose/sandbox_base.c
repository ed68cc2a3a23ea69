/* SPDX-License-Identifier: Apache-2.0 */
/* Cached layers as a directory, extracted once; declared in sandbox_internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/extract.h"
#include "compose/merge.h"
#include "compose/sandbox_internal.h"
#include "compose/tar.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"

#define STAMP_MAX 1024

/* The layers as one tree. */
static int merge_base(const struct sandbox_options *o, struct tree **ret, struct error *err)
{
	_cleanup_merge_ struct merge *m = merge_new();

	for (size_t i = 0; i < o->base_count; i++) {
		_cleanup_layer_ struct layer l = LAYER_INIT;
		int r;

		l.name = xstrdup(o->base[i].path);
		l.fd = fcntl(o->base[i].fd, F_DUPFD_CLOEXEC, 3);
		if (l.fd < 0)
			return error_errno(err, -errno, "%s", l.name);
		r = tar_index(l.fd, l.name, &l, err);
		if (r == 0)
			r = merge_layer(m, &l, (unsigned)i, i == 0 ? MERGE_NO_WHITEOUTS : 0, err);
		if (r < 0)
			return r;
	}
	*ret = merge_finish(m, INT64_MAX);
	return 0;
}

int sandbox_base_extract(const struct sandbox_options *o, bool mapped, const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_tree_ struct tree *t = NULL;
	int r;

	if (fd < 0)
		return error_errno(err, -errno, "%s", path);
	r = merge_base(o, &t, err);
	return r < 0 ? r : tree_extract(t, fd, path, mapped, err);
}

/* The same layers, extracted with the same owners. To be freed. */
static char *key_of(const struct sandbox_options *o, const struct sandbox_ids *ids)
{
	_cleanup_buf_ struct buf key = {0};
	char hex[SHA256_HEX_SIZE];
	struct sha256 digest;

	cache_key_add(&key, "format", CACHE_FORMAT);
	for (size_t i = 0; i < o->base_count; i++) {
		hex_encode(o->base[i].digest.b, sizeof(o->base[i].digest.b), hex);
		cache_key_add(&key, "layer", hex);
	}
	buf_printf(&key, "uids=%u+%u\ngids=%u+%u\n", ids->uids.start, ids->uids.count, ids->gids.start,
		   ids->gids.count);
	sha256_of(key.ptr, key.len, &digest);
	hex_encode(digest.b, sizeof(digest.b), hex);
	return xstrdup(hex);
}

/* Whether the directory is there and nothing in it was changed since its stamp was written. */
static bool is_good(const char *path, const char *stamp, bool warn)
{
	_cleanup_snapshot_ struct snapshot *s = NULL;
	_cleanup_buf_ struct buf b = {0};
	struct error ignored = ERROR_INIT;
	char hex[SHA256_HEX_SIZE];
	struct sha256 digest;

	if (io_read_file(AT_FDCWD, stamp, STAMP_MAX, &b, &ignored) < 0)
		return false;
	if (snapshot_take(path, &s, &ignored) < 0)
		return false;
	snapshot_digest(s, &digest);
	hex_encode(digest.b, sizeof(digest.b), hex);
	if (b.ptr && strcmp(b.ptr, hex) == 0)
		return true;
	if (warn)
		log_warning("%s: was changed in the cache; extracting it again", path);
	return false;
}

static int write_stamp(const char *path, const char *stamp, struct error *err)
{
	_cleanup_snapshot_ struct snapshot *s = NULL;
	_cleanup_output_ struct output out = OUTPUT_INIT;
	char hex[SHA256_HEX_SIZE];
	struct sha256 digest;
	int r;

	r = snapshot_take(path, &s, err);
	if (r < 0)
		return r;
	snapshot_digest(s, &digest);
	hex_encode(digest.b, sizeof(digest.b), hex);
	r = output_open(stamp, &out, err);
	if (r == 0)
		r = io_write_full(out.fd, stamp, hex, strlen(hex), err);
	return r < 0 ? r : output_commit(&out, false, err);
}

/* With the lock held: the stamp goes first and comes last. */
static int make_base(const struct sandbox_options *o, bool mapped, const char *path, const char *stamp,
		     struct error *err)
{
	struct progress p;
	int r;

	if (unlink(stamp) < 0 && errno != ENOENT)
		return error_errno(err, -errno, "%s", stamp);
	r = io_remove_tree(path, err);
	if (r < 0)
		return r;
	if (mkdir(path, 0755) < 0)
		return error_errno(err, -errno, "%s", path);
	progress_start(&p, "extract the base", NULL, 0);
	r = sandbox_base_extract(o, mapped, path, err);
	if (r == 0)
		r = write_stamp(path, stamp, err);
	if (r == 0) {
		progress_end(&p, NULL);
		return 0;
	}
	/* A disk that is full is not to stay so. */
	(void)io_remove_tree(path, &(struct error){0});
	return r;
}

/* Waits. Signals interrupt it: interrupt.h. */
static int lock(int fd, int how, const char *path, struct error *err)
{
	if (flock(fd, how) < 0)
		return error_errno(err, -errno, "%s: locking", path);
	return 0;
}

int sandbox_base_open(const struct sandbox_options *o, const struct sandbox_ids *ids, char **ret_path,
		      int *ret_lock, struct error *err)
{
	_cleanup_free_ char *dir = xasprintf("%s/roots", o->cache->dir), *key = key_of(o, ids);
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, key);
	_cleanup_free_ char *stamp = xasprintf("%s.stamp", path), *lock_path = xasprintf("%s.lock", path);
	_cleanup_close_ int fd = -EBADF;
	int r = io_make_dirs(dir, 0755, err);

	if (r < 0)
		return r;
	fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return error_errno(err, -errno, "%s", lock_path);
	r = lock(fd, LOCK_SH, lock_path, err);
	if (r == 0 && !is_good(path, stamp, true)) {
		r = lock(fd, LOCK_EX, lock_path, err);
		if (r == 0 && !is_good(path, stamp, false))
			r = make_base(o, ids->needed, path, stamp, err);
		if (r == 0)
			r = lock(fd, LOCK_SH, lock_path, err);
	}
	if (r < 0)
		return r;
	*ret_path = steal_pointer(&path);
	*ret_lock = steal_fd(&fd);
	return 0;
}
