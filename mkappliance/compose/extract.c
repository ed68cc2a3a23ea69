/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"

#define CHUNK ((size_t)1 << 20)

struct extract {
	const struct tree *t;
	int root;
	const char *name;
	bool mapped;
	char *chunk;
};

static int failed(const struct extract *x, const struct tree_entry *e, const char *doing, struct error *err)
{
	int code = -errno;

	if (code == -EINVAL && x->mapped)
		return error_set(err, code,
				 "%s/%s: %s: owner %u:%u is outside of the subordinate ids; as root: usermod "
				 "--add-subuids and --add-subgids, 65536 of them",
				 x->name, e->path, doing, e->uid, e->gid);
	return error_errno(err, code, "%s/%s: %s", x->name, e->path, doing);
}

static int copy_range(const struct extract *x, const struct tree_entry *e, int fd, uint64_t from,
		      uint64_t len, struct error *err)
{
	for (uint64_t at = from; at < from + len;) {
		uint64_t left = from + len - at;
		size_t n = left < CHUNK ? (size_t)left : CHUNK;
		int r = tree_read(x->t, e, at, x->chunk, n, err);

		if (r == 0)
			r = io_pwrite_full(fd, e->path, x->chunk, n, at, err);
		if (r < 0)
			return r;
		at += n;
	}
	return 0;
}

static int make_file(const struct extract *x, const struct tree_entry *e, struct error *err)
{
	_cleanup_close_ int fd =
		openat(x->root, e->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = 0;

	if (fd < 0)
		return failed(x, e, "creating", err);
	if (e->runs && ftruncate(fd, (off_t)e->size) < 0)
		return failed(x, e, "creating", err);
	if (!e->runs)
		return copy_range(x, e, fd, 0, e->size, err);
	for (size_t i = 0; r == 0 && i < e->run_count; i++)
		r = copy_range(x, e, fd, e->runs[i].offset, e->runs[i].length, err);
	return r;
}

/* *@ret_made: whether it is there now. */
static int make(const struct extract *x, const struct tree_entry *e, bool *ret_made, struct error *err)
{
	*ret_made = true;
	if (S_ISREG(e->mode))
		return make_file(x, e, err);
	if (S_ISDIR(e->mode) && e->path[0] && mkdirat(x->root, e->path, 0700) < 0)
		return failed(x, e, "creating", err);
	if (S_ISLNK(e->mode) && symlinkat(e->target, x->root, e->path) < 0)
		return failed(x, e, "creating", err);
	if (S_ISDIR(e->mode) || S_ISLNK(e->mode))
		return 0;
	if (mknodat(x->root, e->path, (e->mode & S_IFMT) | 0600, e->rdev) < 0) {
		if (!x->mapped || errno != EPERM)
			return failed(x, e, "creating", err);
		*ret_made = false;
	}
	return 0;
}

static int set_xattrs(const struct extract *x, const struct tree_entry *e, struct error *err)
{
	_cleanup_free_ char *path = NULL;

	if (e->xattr_count)
		path = xasprintf("/proc/self/fd/%d/%s", x->root, e->path[0] ? e->path : ".");
	for (size_t i = 0; i < e->xattr_count; i++) {
		const struct tree_xattr *a = &e->xattrs[i];

		if (lsetxattr(path, a->name, a->value, a->len, 0) < 0 && !(x->mapped && errno == EPERM))
			return error_errno(err, -errno, "%s/%s: setting attribute '%s'", x->name, e->path,
					   a->name);
	}
	return 0;
}

static int set_times(const struct extract *x, const struct tree_entry *e, struct error *err)
{
	const struct timespec times[] = {{.tv_sec = e->mtime}, {.tv_sec = e->mtime}};

	if (utimensat(x->root, e->path[0] ? e->path : ".", times, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(x, e, "setting its time", err);
	return 0;
}

/* The owner first: a change of it takes set-user-ID bits and capabilities away. */
static int dress(const struct extract *x, const struct tree_entry *e, struct error *err)
{
	const char *path = e->path[0] ? e->path : ".";
	int r;

	if (fchownat(x->root, path, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(x, e, "setting its owner", err);
	if (!S_ISLNK(e->mode) && fchmodat(x->root, path, e->mode & 07777, 0) < 0)
		return failed(x, e, "setting its mode", err);
	r = set_xattrs(x, e, err);
	return r < 0 || S_ISDIR(e->mode) ? r : set_times(x, e, err);
}

static int extract_entry(const struct extract *x, const struct tree_entry *e, struct error *err)
{
	bool made;
	int r;

	if (e->hardlink) {
		if (linkat(x->root, e->hardlink->path, x->root, e->path, 0) == 0)
			return 0;
		/* A device that could not be made. */
		return x->mapped && errno == ENOENT && !S_ISREG(e->mode) ? 0 : failed(x, e, "linking", err);
	}
	r = make(x, e, &made, err);
	return r < 0 || !made ? r : dress(x, e, err);
}

int tree_extract(const struct tree *t, int dirfd, const char *name, bool mapped, struct error *err)
{
	_cleanup_free_ char *chunk = xmalloc(CHUNK);
	const struct extract x = {.t = t, .root = dirfd, .name = name, .mapped = mapped, .chunk = chunk};

	for (size_t i = 0; i < t->len; i++) {
		int r = i % 256 == 0 ? interrupt_check(err) : 0;

		if (r == 0)
			r = extract_entry(&x, t->entries[i], err);
		if (r < 0)
			return r;
	}
	/* What was put into them changed their times. */
	for (size_t i = t->len; i-- > 0;)
		if (S_ISDIR(t->entries[i]->mode) && set_times(&x, t->entries[i], err) < 0)
			return err->code;
	return 0;
}
