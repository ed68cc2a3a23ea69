/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the content of a tree's files. This is the image half's hot path: a small file below a directory
 * costs one openat, fstat, pread and close, a file in a tar one pread.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/tree.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/mem.h"

/* Never through a link, never blocking on what is a FIFO by now; without touching atime where we may. */
static int open_host(const struct tree_source *s, const char *host)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int fd = openat(s->fd, host, flags | O_NOATIME);

	if (fd < 0 && errno == EPERM)
		fd = openat(s->fd, host, flags);
	return fd;
}

static int64_t mtime_ns(const struct stat *st)
{
	return st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
}

/* The open file of an ORIGIN_PATH entry, if it still is what was listed. */
static int open_checked(const struct tree_source *s, const struct tree_entry *e, int *ret, struct error *err)
{
	_cleanup_close_ int fd = open_host(s, e->host);
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENOTDIR))
		return error_set(err, -ESTALE, "%s/%s: changed while building; build again", s->name,
				 e->host);
	if (fd < 0)
		return error_errno(err, -errno, "%s/%s", s->name, e->host);
	if (fstat(fd, &st) < 0)
		return error_errno(err, -errno, "%s/%s", s->name, e->host);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != e->size || mtime_ns(&st) != e->host_mtime_ns)
		return error_set(err, -ESTALE, "%s/%s: changed while building; build again", s->name,
				 e->host);
	*ret = steal_fd(&fd);
	return 0;
}

/* The index of the first run that ends behind @offset. */
static size_t first_run(const struct tree_entry *e, uint64_t offset)
{
	size_t low = 0, high = e->run_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (e->runs[mid].offset + e->runs[mid].length <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/*
 * One pread for each run that the range touches; zeros between them. @base is where entry.stored counts
 * from.
 */
static int read_stored(int fd, const char *name, const struct tree_entry *e, uint64_t base, uint64_t offset,
		       char *buf, size_t len, struct error *err)
{
	uint64_t end = offset + len;

	if (!e->runs)
		return io_pread_full(fd, name, buf, len, base + offset, err);
	for (size_t i = first_run(e, offset); i < e->run_count && e->runs[i].offset < end; i++) {
		const struct tree_run *run = &e->runs[i];
		uint64_t skip = offset > run->offset ? offset - run->offset : 0;
		uint64_t start = run->offset + skip;
		uint64_t stop = run->offset + run->length < end ? run->offset + run->length : end;
		int r;

		memset(buf, 0, start - offset);
		buf += start - offset;
		r = io_pread_full(fd, name, buf, stop - start, base + run->stored + skip, err);
		if (r < 0)
			return r;
		buf += stop - start;
		offset = stop;
	}
	memset(buf, 0, end - offset);
	return 0;
}

static int read_path(const struct tree_source *s, const struct tree_entry *e, uint64_t offset, void *buf,
		     size_t len, struct error *err)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	r = open_checked(s, e, &fd, err);
	if (r < 0)
		return r;
	r = read_stored(fd, e->host, e, 0, offset, buf, len, err);
	if (r == -ENODATA)
		return error_set(err, -ESTALE, "%s/%s: changed while building; build again", s->name,
				 e->host);
	return r < 0 ? error_prefix(err, "%s", s->name) : 0;
}

int tree_read(const struct tree *t, const struct tree_entry *e, uint64_t offset, void *buf, size_t len,
	      struct error *err)
{
	const struct tree_source *s;
	int r;

	if (e->hardlink)
		e = e->hardlink;
	if (len == 0)
		return 0;
	switch (e->origin) {
	case ORIGIN_NONE:
		memset(buf, 0, len);
		return 0;
	case ORIGIN_MEMORY:
		memcpy(buf, (const char *)e->memory + offset, len);
		return 0;
	case ORIGIN_PATH:
		return read_path(&t->sources[e->source], e, offset, buf, len, err);
	case ORIGIN_FD:
		break;
	}
	s = &t->sources[e->source];
	r = read_stored(s->fd, s->name, e, e->stored, offset, buf, len, err);
	return r < 0 ? error_prefix(err, "/%s", e->path) : 0;
}

int tree_stamp_take(int fd, const char *name, struct tree_stamp *ret, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, -errno, "%s", name);
	*ret = (struct tree_stamp){.size = (uint64_t)st.st_size, .mtime_ns = mtime_ns(&st)};
	return 0;
}

int tree_stamp_check(int fd, const char *name, const struct tree_stamp *stamp, struct error *err)
{
	struct tree_stamp now;
	int r;

	if (stamp->size == 0 && stamp->mtime_ns == 0)
		return 0;
	r = tree_stamp_take(fd, name, &now, err);
	if (r < 0)
		return r;
	if (now.size != stamp->size || now.mtime_ns != stamp->mtime_ns)
		return error_set(err, -ESTALE, "%s: changed while building; build again", name);
	return 0;
}

int tree_check_sources(const struct tree *t, struct error *err)
{
	for (size_t i = 0; i < t->source_count; i++) {
		const struct tree_source *s = &t->sources[i];
		int r = tree_stamp_check(s->fd, s->name, &s->stamp, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int tree_read_all(const struct tree *t, const struct tree_entry *e, size_t limit, void **ret, size_t *ret_len,
		  struct error *err)
{
	_cleanup_free_ char *data = NULL;
	int r;

	if (e->hardlink)
		e = e->hardlink;
	if (!S_ISREG(e->mode))
		return error_set(err, -EINVAL, "/%s: is not a regular file", e->path);
	if (e->size > limit)
		return error_set(err, -EFBIG, "/%s: %" PRIu64 " bytes, larger than the %zu allowed", e->path,
				 e->size, limit);
	data = xmalloc(e->size + 1);
	r = tree_read(t, e, 0, data, e->size, err);
	if (r < 0)
		return r;
	data[e->size] = 0;
	*ret = steal_pointer(&data);
	*ret_len = e->size;
	return 0;
}
