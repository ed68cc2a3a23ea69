/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libarchive does for us: decompression (but gzip), .deb, and writing the tars of the cache. It never
 * leaves this file.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/gunzip.h"
#include "compose/layer.h"
#include "compose/tar.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"

#define CHUNK		 ((size_t)256 << 10)
#define UNCOMPRESSED_MAX ((uint64_t)256 << 30)

static void read_freep(struct archive **a)
{
	if (*a)
		(void)archive_read_free(*a);
}

static void write_freep(struct archive **a)
{
	if (*a)
		(void)archive_write_free(*a);
}

#define _cleanup_read_	__attribute__((cleanup(read_freep)))
#define _cleanup_write_ __attribute__((cleanup(write_freep)))

enum archive_kind archive_kind_of(const void *head, size_t len)
{
	static const struct {
		const char *magic;
		size_t len;
	} compressed[] = {{"\x1f\x8b", 2},
			  {"\x28\xb5\x2f\xfd", 4},
			  {"\xfd"
			   "7zXZ",
			   6},
			  {"BZh", 3}};

	if (len >= 8 && memcmp(head, "!<arch>\n", 8) == 0)
		return ARCHIVE_DEB;
	for (size_t i = 0; i < sizeof(compressed) / sizeof(compressed[0]); i++)
		if (len >= compressed[i].len && memcmp(head, compressed[i].magic, compressed[i].len) == 0)
			return ARCHIVE_COMPRESSED;
	return len >= TAR_BLOCK && tar_begins(head) ? ARCHIVE_TAR : ARCHIVE_NOT;
}

static int archive_error(struct archive *a, const char *name, const char *doing, struct error *err)
{
	const char *text = archive_error_string(a);

	return error_set(err, -EINVAL, "%s: %s: %s", name, doing, text ? text : "the archive is damaged");
}

/*
 * Compressed bytes: of a file, of memory, or of a member of an outer archive. They go through gunzip_next()
 * on their way to @archive.
 */
struct input {
	int fd; /* -1: one of the others */
	const void *memory;
	size_t len;
	struct archive *outer;
	archive_read_part *read; /* with read_data; NULL: one of the above */
	void *read_data;
	struct gunzip *gunzip;
	struct archive *archive; /* reads any other compression, or none */
	const char *wrong;	 /* what reading said */
	char chunk[CHUNK];
};

static struct input *input_new(void)
{
	struct input *in = xcalloc(1, sizeof(*in));

	in->fd = -1;
	return in;
}

static void input_freep(struct input **in)
{
	if (*in) {
		read_freep(&(*in)->archive);
		gunzip_free((*in)->gunzip);
	}
	free(*in);
}

#define _cleanup_input_ __attribute__((cleanup(input_freep)))

static ssize_t read_member(struct input *in, const void **ret)
{
	la_int64_t offset;
	size_t len = 0;
	int r;

	do
		r = archive_read_data_block(in->outer, ret, &len, &offset);
	while (r == ARCHIVE_OK && len == 0);
	if (r == ARCHIVE_EOF)
		return 0;
	if (r >= ARCHIVE_WARN)
		return (ssize_t)len;
	in->wrong = archive_error_string(in->outer);
	return -1;
}

static ssize_t read_input(void *data, const void **ret)
{
	struct input *in = data;
	ssize_t n;

	if (in->outer)
		return read_member(in, ret);
	if (in->read)
		return in->read(in->read_data, ret);
	if (in->fd < 0) {
		*ret = in->memory;
		n = (ssize_t)in->len;
		in->len = 0;
		return n;
	}
	do
		n = read(in->fd, in->chunk, sizeof(in->chunk));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		in->wrong = strerror(errno);
	*ret = in->chunk;
	return n;
}

static la_ssize_t read_for_archive(struct archive *a, void *data, const void **block)
{
	struct input *in = data;
	const char *wrong;
	ssize_t n = gunzip_next(in->gunzip, block, &wrong);

	if (n < 0)
		archive_set_error(a, EINVAL, "%s", wrong ? wrong : in->wrong ? in->wrong : "reading failed");
	return n;
}

static int input_open(struct input *in, const char *name, struct error *err)
{
	struct archive *a = in->archive = archive_read_new();

	if (!a)
		return error_set(err, -ENOMEM, "libarchive has no memory");
	in->gunzip = gunzip_new(read_input, in);
	(void)archive_read_support_filter_zstd(a);
	(void)archive_read_support_filter_xz(a);
	(void)archive_read_support_filter_bzip2(a);
	(void)archive_read_support_format_raw(a);
	(void)archive_read_support_format_empty(a);
	if (archive_read_open(a, in, NULL, read_for_archive, NULL) != ARCHIVE_OK)
		return archive_error(a, name, "decompressing", err);
	return 0;
}

/* Where a stream goes: each may be left out. */
struct sink {
	int fd;
	struct buf *buf;
	struct hasher *hasher;
	uint64_t limit;
};

static int put(const struct sink *to, const char *name, const void *data, size_t len, struct error *err)
{
	if (to->buf)
		buf_add(to->buf, data, len);
	if (to->hasher)
		hasher_add(to->hasher, data, len);
	return to->fd < 0 ? 0 : io_write_full(to->fd, name, data, len, err);
}

/* Everything that @in holds; @compressed: what is not any of the compressions is an error. */
static int copy_stream(struct input *in, const char *name, bool compressed, const struct sink *to,
		       struct error *err)
{
	_cleanup_free_ char *chunk = xmalloc(CHUNK);
	struct archive_entry *entry;
	uint64_t total = 0;
	int r = input_open(in, name, err);

	if (r < 0)
		return r;
	r = archive_read_next_header(in->archive, &entry);
	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK)
		return archive_error(in->archive, name, "decompressing", err);
	if (compressed && !gunzip_is_gzip(in->gunzip) && archive_filter_count(in->archive) < 2)
		return error_set(err, -EINVAL, "%s: decompressing: its header is damaged", name);
	for (;;) {
		la_ssize_t n = archive_read_data(in->archive, chunk, CHUNK);

		if (n == 0)
			return 0;
		if (n < 0)
			return archive_error(in->archive, name, "decompressing", err);
		total += (uint64_t)n;
		if (total > to->limit)
			return error_set(err, -EFBIG, "%s: holds more than %" PRIu64 " bytes", name,
					 to->limit);
		r = put(to, name, chunk, (size_t)n, err);
		if (r == 0)
			r = interrupt_check(err);
		if (r < 0)
			return r;
	}
}

int archive_decompress(int fd, const char *name, int out, struct error *err)
{
	_cleanup_input_ struct input *in = input_new();

	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_errno(err, -errno, "%s", name);
	in->fd = fd;
	return copy_stream(in, name, true, &(struct sink){.fd = out, .limit = UNCOMPRESSED_MAX}, err);
}

int archive_unpack(archive_read_part *read, void *data, const char *name, uint64_t limit,
		   struct hasher *hasher, int out, struct error *err)
{
	_cleanup_input_ struct input *in = input_new();

	in->read = read;
	in->read_data = data;
	return copy_stream(in, name, false, &(struct sink){.fd = out, .hasher = hasher, .limit = limit}, err);
}

int archive_decompress_memory(const void *data, size_t len, const char *name, size_t limit, struct buf *ret,
			      struct error *err)
{
	_cleanup_input_ struct input *in = input_new();

	in->memory = data;
	in->len = len;
	return copy_stream(in, name, true, &(struct sink){.fd = -1, .buf = ret, .limit = limit}, err);
}

static int copy_member(struct archive *outer, const char *name, const char *member, int out,
		       struct error *err)
{
	_cleanup_input_ struct input *in = input_new();

	if (out < 0)
		return 0;
	in->outer = outer;
	if (copy_stream(in, member, false, &(struct sink){.fd = out, .limit = UNCOMPRESSED_MAX}, err) < 0)
		return error_prefix(err, "%s", name);
	return 0;
}

static int split_deb(struct archive *a, const char *name, int data, int control, struct error *err)
{
	bool have_data = false, have_control = false;
	struct archive_entry *entry;
	int r;

	while ((r = archive_read_next_header(a, &entry)) == ARCHIVE_OK) {
		const char *member = archive_entry_pathname(entry);
		int c = 0;

		if (!member)
			continue;
		if (strncmp(member, "control.tar", 11) == 0 && !have_control) {
			have_control = true;
			c = copy_member(a, name, member, control, err);
		} else if (strncmp(member, "data.tar", 8) == 0 && !have_data) {
			have_data = true;
			c = copy_member(a, name, member, data, err);
		}
		if (c < 0)
			return c;
	}
	if (r != ARCHIVE_EOF)
		return archive_error(a, name, "reading the package", err);
	if (!have_data || !have_control)
		return error_set(err, -EINVAL, "%s: is not a Debian package: %s is missing", name,
				 have_control ? "data.tar" : "control.tar");
	return 0;
}

int archive_split_deb(int fd, const char *name, int data, int control, struct error *err)
{
	_cleanup_read_ struct archive *a = archive_read_new();

	if (!a)
		return error_set(err, -ENOMEM, "libarchive has no memory");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_errno(err, -errno, "%s", name);
	(void)archive_read_support_format_ar(a);
	if (archive_read_open_fd(a, fd, CHUNK) != ARCHIVE_OK)
		return archive_error(a, name, "reading the package", err);
	return split_deb(a, name, data, control, err);
}

/* The bytes of one regular file, from the layer's tar or directory, or from memory. */
static int write_content(struct archive *a, const struct tree *t, const struct tree_entry *e,
			 const char *name, struct error *err)
{
	_cleanup_free_ char *chunk = xmalloc(CHUNK);

	for (uint64_t at = 0; at < e->size;) {
		size_t n = e->size - at < CHUNK ? (size_t)(e->size - at) : CHUNK;
		int r = tree_read(t, e, at, chunk, n, err);

		if (r < 0)
			return r;
		if (archive_write_data(a, chunk, n) != (la_ssize_t)n)
			return archive_error(a, name, "writing", err);
		at += n;
	}
	return 0;
}

/* Runs of data and attributes; where bytes are missing the reader of the archive sees zeros. */
static void describe_entry(struct archive_entry *entry, const struct tree_entry *e)
{
	archive_entry_set_pathname(entry, e->path);
	archive_entry_set_mode(entry, e->mode);
	archive_entry_set_uid(entry, e->uid);
	archive_entry_set_gid(entry, e->gid);
	archive_entry_set_mtime(entry, e->mtime, 0);
	if (S_ISREG(e->mode))
		archive_entry_set_size(entry, (la_int64_t)e->size);
	if (S_ISLNK(e->mode))
		archive_entry_set_symlink(entry, e->target);
	if (S_ISCHR(e->mode) || S_ISBLK(e->mode))
		archive_entry_set_rdev(entry, e->rdev);
	for (size_t i = 0; i < e->xattr_count; i++)
		archive_entry_xattr_add_entry(entry, e->xattrs[i].name, e->xattrs[i].value, e->xattrs[i].len);
	for (size_t i = 0; i < e->run_count; i++)
		archive_entry_sparse_add_entry(entry, (la_int64_t)e->runs[i].offset,
					       (la_int64_t)e->runs[i].length);
}

static int write_entry(struct archive *a, const struct tree *t, const struct layer_entry *le,
		       const char *name, struct error *err)
{
	struct archive_entry *entry = archive_entry_new();
	const struct tree_entry *e = le->entry;
	bool content = S_ISREG(e->mode) && !le->link;
	int r = 0;

	describe_entry(entry, e);
	if (le->link) {
		archive_entry_set_hardlink(entry, le->link);
		archive_entry_set_size(entry, 0);
	}
	if (archive_write_header(a, entry) != ARCHIVE_OK)
		r = archive_error(a, name, "writing", err);
	archive_entry_free(entry);
	return r == 0 && content ? write_content(a, t, e, name, err) : r;
}

int archive_write_tar(const struct layer *l, int fd, const char *name, struct error *err)
{
	_cleanup_write_ struct archive *a = archive_write_new();
	/* Borrows the layer's descriptor for tree_read(). */
	struct tree_source source = {.fd = l->fd, .name = l->name};
	struct tree t = {.sources = &source, .source_count = 1};

	if (!a)
		return error_set(err, -ENOMEM, "libarchive has no memory");
	(void)archive_write_set_format_pax_restricted(a);
	(void)archive_write_add_filter_none(a);
	if (archive_write_open_fd(a, fd) != ARCHIVE_OK)
		return archive_error(a, name, "writing", err);
	for (size_t i = 0; i < l->len; i++) {
		const struct layer_entry *le = &l->entries[i];
		/* The root has no name to write. */
		int r = le->entry->path[0] ? write_entry(a, &t, le, name, err) : 0;

		if (r == 0)
			r = interrupt_check(err);

		if (r < 0)
			return r;
	}
	if (archive_write_close(a) != ARCHIVE_OK)
		return archive_error(a, name, "writing", err);
	return 0;
}
