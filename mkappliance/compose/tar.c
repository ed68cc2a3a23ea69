/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/tar.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/tar_header.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"

#define EXTENSION_MAX (16u << 20) /* bytes of one pax header, or of a long name */

struct reader {
	int fd;
	const char *name;
	uint64_t pos, end;
	uint64_t memory;    /* spent on entries */
	struct tar_ext ext; /* for the next member */
	struct layer *out;
	bool warned_acl;
};

static int member_error(const struct reader *r, const struct ustar *h, const char *what, struct error *err)
{
	_cleanup_free_ char *name = tar_header_name(&r->ext, h);

	return error_set(err, -EINVAL, "%s: member '%s' %s", r->name, name, what);
}

static uint64_t padded(uint64_t size)
{
	return (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

/* Checks that @size bytes of content can follow. */
static int check_room(const struct reader *r, const struct ustar *h, uint64_t size, struct error *err)
{
	if (size > r->end - r->pos)
		return member_error(r, h, "is cut off: the archive is truncated", err);
	return 0;
}

static int spend(struct reader *r, uint64_t bytes, struct error *err)
{
	r->memory += bytes;
	if (r->memory > TAR_MEMORY_MAX)
		return error_set(err, -EFBIG, "%s: names and attributes take more than %ju MiB", r->name,
				 (uintmax_t)(TAR_MEMORY_MAX >> 20));
	return 0;
}

/* The content of an extension header: at @ret, followed by a 0 byte. */
static int read_extension(struct reader *r, const struct ustar *h, char **ret, size_t *ret_len,
			  struct error *err)
{
	_cleanup_free_ char *data = NULL;
	uint64_t size;
	int e;

	if (!tar_number(h->size, sizeof(h->size), &size))
		return member_error(r, h, "has a size that is not a number", err);
	if (size > EXTENSION_MAX)
		return member_error(r, h, "has an extension header of more than 16 MiB", err);
	e = check_room(r, h, size, err);
	if (e < 0)
		return e;
	data = xmalloc(size + 1);
	e = io_pread_full(r->fd, r->name, data, size, r->pos, err);
	if (e < 0)
		return e;
	data[size] = 0;
	r->pos += padded(size) < r->end - r->pos ? padded(size) : r->end - r->pos;
	*ret = steal_pointer(&data);
	*ret_len = size;
	return 0;
}

/* GNU's 'L' and 'K': the name ends at the first NUL. */
static int take_long_name(struct reader *r, const struct ustar *h, struct error *err)
{
	char **field = h->type == 'L' ? &r->ext.path : &r->ext.link;
	size_t *field_len = h->type == 'L' ? &r->ext.path_len : &r->ext.link_len;
	char *data = NULL;
	size_t len;
	int e;

	e = read_extension(r, h, &data, &len, err);
	if (e < 0)
		return e;
	free(*field);
	*field = data;
	*field_len = strlen(data);
	return 0;
}

static int take_pax(struct reader *r, const struct ustar *h, struct error *err)
{
	_cleanup_free_ char *data = NULL;
	size_t len = 0;
	int e;

	e = read_extension(r, h, &data, &len, err);
	if (e < 0)
		return e;
	e = tar_pax_parse(data, len, &r->ext, err);
	return e < 0 ? error_prefix(err, "%s: byte %ju", r->name, (uintmax_t)r->pos) : 0;
}

/* A pax header for all that follows: comments (git archive) are fine, anything that would count is not. */
static int take_global(struct reader *r, const struct ustar *h, struct error *err)
{
	_cleanup_tar_ext_ struct tar_ext x = {0};
	_cleanup_free_ char *data = NULL;
	size_t len = 0;
	int e;

	e = read_extension(r, h, &data, &len, err);
	if (e < 0)
		return e;
	e = tar_pax_parse(data, len, &x, err);
	if (e < 0)
		return error_prefix(err, "%s", r->name);
	if (x.path || x.real_path || x.link || x.has_size || x.has_uid || x.has_gid || x.sparse ||
	    x.attributes.xattr_count)
		return member_error(r, h, "is a global pax header that sets more than comments and times",
				    err);
	return 0;
}

/* Content of a regular file: @size bytes from r->pos, perhaps sparse. */
static int take_content(struct reader *r, const struct ustar *h, struct tree_entry *e, uint64_t size,
			struct error *err)
{
	struct tar_ext *x = &r->ext;
	const char *wrong = NULL;
	uint64_t map_len = 0;
	int c = 0;

	if (h->type == 'S') {
		if (!tar_number((const char *)h + 483, 12, &x->real_size))
			return member_error(r, h, "has a size that is not a number", err);
		x->has_real_size = true;
		x->sparse = SPARSE_MAP;
		c = tar_sparse_old(r->fd, r->name, (const char *)h, &r->pos, &x->map, err);
	} else if (x->sparse == SPARSE_FRONT) {
		c = check_room(r, h, size, err);
		if (c == 0)
			c = tar_sparse_front(r->fd, r->name, r->pos, size, &x->map, &map_len, err);
	}
	if (c == 0)
		c = check_room(r, h, size, err);
	if (c < 0)
		return c;
	e->stored = r->pos + map_len;
	e->size = size;
	e->origin = size ? ORIGIN_FD : ORIGIN_NONE;
	if (x->sparse) {
		if (!x->has_real_size)
			return member_error(r, h, "is sparse and has no size", err);
		e->size = x->real_size;
		wrong = tar_map_check(&x->map, e->size, size - map_len);
		if (wrong)
			return member_error(r, h, wrong, err);
		e->run_count = x->map.len;
		e->runs = x->map.runs ? steal_pointer(&x->map.runs) : xcalloc(1, sizeof(*e->runs));
		e->origin = e->size ? ORIGIN_FD : ORIGIN_NONE;
	}
	r->pos += padded(size) < r->end - r->pos ? padded(size) : r->end - r->pos;
	return spend(r, e->run_count * sizeof(*e->runs), err);
}

static void warn_acl(struct reader *r, const struct ustar *h)
{
	_cleanup_free_ char *name = tar_header_name(&r->ext, h);

	if (!r->warned_acl)
		log_warning("%s: access control lists (of '%s' and perhaps others) are not carried over",
			    r->name, name);
	r->warned_acl = true;
}

static int take_member(struct reader *r, const struct ustar *h, struct error *err)
{
	struct tree_entry *e = xcalloc(1, sizeof(*e));
	_cleanup_free_ char *link = NULL;
	const char *wrong;
	uint64_t size = 0;
	int c = 0;

	if (r->out->len >= TAR_ENTRIES_MAX)
		c = error_set(err, -EFBIG, "%s: more than %u members", r->name, TAR_ENTRIES_MAX);
	wrong = c < 0 ? NULL : tar_header_take(&r->ext, h, r->out->rooted, e, &size, &link);
	if (wrong)
		c = member_error(r, h, wrong, err);
	if (c == 0 && S_ISREG(e->mode) && !link)
		c = take_content(r, h, e, size, err);
	e->xattrs = steal_pointer(&r->ext.attributes.xattrs);
	e->xattr_count = r->ext.attributes.xattr_count;
	r->ext.attributes.xattr_count = 0;
	if (c == 0) {
		uint64_t bytes = sizeof(*e) + strlen(e->path);

		for (size_t i = 0; i < e->xattr_count; i++)
			bytes += sizeof(*e->xattrs) + strlen(e->xattrs[i].name) + e->xattrs[i].len;
		c = spend(r, bytes, err);
	}
	if (c < 0) {
		tree_entry_free(e);
		return c;
	}
	if (r->ext.acl)
		warn_acl(r, h);
	layer_add(r->out, e, steal_pointer(&link));
	tar_ext_free(&r->ext);
	return 0;
}

static int take_block(struct reader *r, const struct ustar *h, struct error *err)
{
	if (!tar_checksum_good(h))
		return error_set(err, -EINVAL,
				 "%s: no tar header at byte %ju (damaged, or not a tar archive)", r->name,
				 (uintmax_t)(r->pos - TAR_BLOCK));
	switch (h->type) {
	case 'L':
	case 'K':
		return take_long_name(r, h, err);
	case 'x':
		return take_pax(r, h, err);
	case 'g':
		return take_global(r, h, err);
	case 'V': /* a volume's label */
		return 0;
	default:
		return take_member(r, h, err);
	}
}

int tar_index(int fd, const char *name, struct layer *ret, struct error *err)
{
	struct reader r = {.fd = fd, .name = name, .out = ret};
	union {
		struct ustar header;
		char bytes[TAR_BLOCK];
	} block;
	struct stat st;
	int e = 0;

	if (fstat(fd, &st) < 0)
		return error_errno(err, -errno, "%s", name);
	r.end = (uint64_t)st.st_size;
	for (unsigned n = 0; e == 0; n++) {
		if (ret->proven && n > 0 && r.pos == r.end)
			break;
		if (r.end - r.pos < TAR_BLOCK)
			e = error_set(err, -ENODATA, "%s: ends at byte %ju without an end mark: truncated",
				      name, (uintmax_t)r.end);
		if (e == 0 && n % 1024 == 0)
			e = interrupt_check(err);
		if (e == 0)
			e = io_pread_full(fd, name, block.bytes, TAR_BLOCK, r.pos, err);
		if (e < 0 || tar_all_zero(block.bytes))
			break;
		r.pos += TAR_BLOCK;
		e = take_block(&r, &block.header, err);
	}
	tar_ext_free(&r.ext);
	return e;
}
