/* SPDX-License-Identifier: Apache-2.0 */
/* What has changed in a directory since a look at it; declared in sandbox_internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/sandbox_internal.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"

struct seen {
	char *path; /* owned */
	ino_t ino;
	int64_t ctime_ns; /* nobody can set it: any change shows */
	uint64_t size;
	mode_t mode;
};

struct snapshot {
	struct seen *list; /* sorted by the bytes of the path */
	size_t len;
	size_t cap;
};

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->len; i++)
		free(s->list[i].path);
	free(s->list);
	free(s);
}

void snapshot_freep(struct snapshot **s)
{
	snapshot_free(*s);
}

static int64_t ctime_of(const struct stat *st)
{
	return (int64_t)st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec;
}

static int look(struct snapshot *s, int at, const char *name, const char *below, struct error *err);

static int look_at(struct snapshot *s, int at, const char *name, const char *parent, struct error *err)
{
	_cleanup_free_ char *own = xasprintf("%s%s%s", parent, *parent ? "/" : "", name);
	const char *path = own;
	struct stat st;

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, -errno, "%s", path);
	array_grow(s->list, s->len, s->cap);
	s->list[s->len++] = (struct seen){.path = steal_pointer(&own),
					  .ino = st.st_ino,
					  .ctime_ns = ctime_of(&st),
					  .size = (uint64_t)st.st_size,
					  .mode = st.st_mode};
	return S_ISDIR(st.st_mode) ? look(s, at, name, path, err) : 0;
}

static int look(struct snapshot *s, int at, const char *name, const char *below, struct error *err)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	int r = interrupt_check(err);

	if (!dir)
		return error_errno(err, -errno, "%s", below);
	while (r == 0 && (errno = 0, de = readdir(dir)))
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			r = look_at(s, fd, de->d_name, below, err);
	if (r == 0 && errno)
		return error_errno(err, -errno, "%s: listing", below);
	return r;
}

static int compare_seen(const void *a, const void *b)
{
	return strcmp(((const struct seen *)a)->path, ((const struct seen *)b)->path);
}

int snapshot_take(const char *path, struct snapshot **ret, struct error *err)
{
	_cleanup_snapshot_ struct snapshot *s = xcalloc(1, sizeof(*s));

	if (look(s, AT_FDCWD, path, "", err) < 0)
		return error_prefix(err, "%s", path);
	if (s->len)
		qsort(s->list, s->len, sizeof(*s->list), compare_seen);
	*ret = steal_pointer(&s);
	return 0;
}

void snapshot_digest(const struct snapshot *s, struct sha256 *ret)
{
	_cleanup_hasher_ struct hasher *h = hasher_new();
	_cleanup_buf_ struct buf line = {0};

	for (size_t i = 0; i < s->len; i++) {
		const struct seen *f = &s->list[i];

		line.len = 0;
		buf_printf(&line, "%zu:%s %ju %" PRId64 " %" PRIu64 " %o\n", strlen(f->path), f->path,
			   (uintmax_t)f->ino, f->ctime_ns, f->size, f->mode);
		hasher_add(h, line.ptr, line.len);
	}
	hasher_final(h, ret);
}

static const struct seen *find_seen(const struct snapshot *s, const char *path)
{
	const struct seen key = {.path = (char *)(uintptr_t)path};

	return s->len ? bsearch(&key, s->list, s->len, sizeof(key), compare_seen) : NULL;
}

static bool unchanged(const struct snapshot *s, int dirfd, const struct layer_entry *le)
{
	const struct seen *f = find_seen(s, le->entry->path);
	struct stat st;

	return f && fstatat(dirfd, le->entry->path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == f->ino &&
	       ctime_of(&st) == f->ctime_ns;
}

/* The topmost of what is gone; a whiteout takes everything below with it. */
static void add_whiteouts(const struct snapshot *s, const struct strlist *paths, struct layer *l)
{
	for (size_t i = 0; i < s->len; i++) {
		const char *path = s->list[i].path, *slash = strrchr(path, '/');
		_cleanup_free_ char *parent = xstrndup(path, slash ? (size_t)(slash - path) : 0);

		if (!strlist_has(paths, path) && strlist_has(paths, parent))
			layer_add(l, entry_new(path, S_IFCHR), NULL);
	}
}

void snapshot_difference(const struct snapshot *s, const char *path, struct layer *l)
{
	_cleanup_close_ int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_strlist_ struct strlist paths = {0};
	size_t kept = 0;

	for (size_t i = 0; i < l->len; i++)
		strlist_add(&paths, l->entries[i].entry->path);
	strlist_sort(&paths);
	for (size_t i = 0; i < l->len; i++) {
		struct layer_entry le = l->entries[i];

		if (le.entry->path[0] && !unchanged(s, dirfd, &le)) {
			l->entries[kept++] = le;
			continue;
		}
		tree_entry_free(le.entry);
		free(le.link);
	}
	l->len = kept;
	add_whiteouts(s, &paths, l);
}
