/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/tar.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"

#define EXTENSION_MAX (16u << 20) /* bytes of one pax header, or of a long name */

/* POSIX.1-2017, pax, "ustar Interchange Format". Fields need not end in a NUL. */
struct ustar {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[8]; /* "ustar\0" "00" of POSIX, "ustar  \0" of GNU; neither: version 7 */
	char user[32];
	char group[32];
	char major[8];
	char minor[8];
	char prefix[155];
	char pad[12];
};
static_assert(sizeof(struct ustar) == TAR_BLOCK, "a tar header is one block");

struct reader {
	int fd;
	const char *name;
	uint64_t pos, end;
	uint64_t memory;    /* spent on entries */
	struct tar_ext ext; /* for the next member */
	struct layer *out;
	bool warned_acl;
};

bool tar_number_signed(const char *field, size_t len, int64_t *ret)
{
	const uint8_t *p = (const uint8_t *)field;
	uint64_t v = 0;
	size_t i = 0;

	if (p[0] == 0x80 || p[0] == 0xff) { /* base 256, two's complement */
		uint8_t fill = p[0] == 0xff ? 0xff : 0;

		for (i = 1; i + 8 < len; i++)
			if (p[i] != fill)
				return false;
		v = fill ? UINT64_MAX : 0;
		for (; i < len; i++)
			v = v << 8 | p[i];
		*ret = (int64_t)v;
		return (*ret < 0) == (fill != 0);
	}
	while (i < len && p[i] == ' ')
		i++;
	for (; i < len && p[i] >= '0' && p[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(p[i] - '0'); /* 12 digits at most: no overflow */
	for (; i < len; i++)
		if (p[i] != ' ' && p[i] != 0)
			return false;
	*ret = (int64_t)v;
	return true;
}

bool tar_number(const char *field, size_t len, uint64_t *ret)
{
	int64_t v;

	if (!tar_number_signed(field, len, &v) || v < 0)
		return false;
	*ret = (uint64_t)v;
	return true;
}

/* The sum of all bytes with the checksum itself as spaces; old programs added signed bytes. */
static bool checksum_good(const struct ustar *h)
{
	const uint8_t *p = (const uint8_t *)h;
	size_t from = offsetof(struct ustar, checksum), to = from + sizeof(h->checksum);
	int64_t sum = 0, sum_signed = 0;
	uint64_t said;

	if (!tar_number(h->checksum, sizeof(h->checksum), &said))
		return false;
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		uint8_t c = i >= from && i < to ? ' ' : p[i];

		sum += c;
		sum_signed += (int8_t)c;
	}
	return (int64_t)said == sum || (int64_t)said == sum_signed;
}

static bool all_zero(const void *block)
{
	const char *p = block;

	return p[0] == 0 && memcmp(p, p + 1, TAR_BLOCK - 1) == 0;
}

/* For archive_kind_of(): does a tar begin here? */
bool tar_begins(const void *block)
{
	return !all_zero(block) && checksum_good(block);
}

/* The member's name for messages: at most 200 bytes of it. To be freed. */
static char *header_name(const struct reader *r, const struct ustar *h)
{
	const char *prefix = memcmp(h->magic, "ustar", 6) == 0 ? h->prefix : "";

	if (r->ext.path)
		return xstrndup(r->ext.path, r->ext.path_len < 200 ? r->ext.path_len : 200);
	return xasprintf("%.155s%s%.100s", prefix, *prefix ? "/" : "", h->name);
}

static int member_error(const struct reader *r, const struct ustar *h, const char *what, struct error *err)
{
	_cleanup_free_ char *name = header_name(r, h);

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

/* Numbers of the header, as the extension corrects them. */
static const char *take_numbers(struct reader *r, const struct ustar *h, struct tree_entry *e,
				uint64_t *ret_size)
{
	struct tar_ext *x = &r->ext;
	uint64_t mode;

	if (!tar_number(h->mode, sizeof(h->mode), &mode))
		return "has a mode that is not a number";
	e->mode = (mode_t)(mode & 07777);
	if (!x->has_uid && !tar_number(h->uid, sizeof(h->uid), &x->uid))
		return "has an owner that is not a number";
	if (!x->has_gid && !tar_number(h->gid, sizeof(h->gid), &x->gid))
		return "has a group that is not a number";
	if (x->uid >= UINT32_MAX || x->gid >= UINT32_MAX)
		return "has an owner or group over 4294967294";
	e->uid = (uid_t)x->uid;
	e->gid = (gid_t)x->gid;
	e->mtime = x->mtime;
	if (!x->has_mtime && !tar_number_signed(h->mtime, sizeof(h->mtime), &e->mtime))
		return "has a time that is not a number";
	*ret_size = x->size;
	if (!x->has_size && !tar_number(h->size, sizeof(h->size), ret_size))
		return "has a size that is not a number";
	return NULL;
}

static const char *take_path(struct reader *r, const struct ustar *h, char **ret, bool *ret_slash)
{
	char joined[sizeof(h->prefix) + 1 + sizeof(h->name)];
	const char *name = joined;
	size_t len = 0;

	if (r->ext.real_path) {
		name = r->ext.real_path;
		len = r->ext.real_path_len;
	} else if (r->ext.path) {
		name = r->ext.path;
		len = r->ext.path_len;
	} else {
		if (memcmp(h->magic, "ustar", 6) == 0 && h->prefix[0]) {
			len = strnlen(h->prefix, sizeof(h->prefix));
			memcpy(joined, h->prefix, len);
			joined[len++] = '/';
		}
		memcpy(joined + len, h->name, sizeof(h->name));
		len += strnlen(h->name, sizeof(h->name));
	}
	if (len == 0)
		return "has no name";
	*ret_slash = name[len - 1] == '/';
	return layer_clean_path(name, len, ret);
}

/* The text of a link: bytes, followed nowhere. */
static const char *take_link(struct reader *r, const struct ustar *h, char **ret)
{
	const char *link = r->ext.link ? r->ext.link : h->link;
	size_t len = r->ext.link ? r->ext.link_len : strnlen(h->link, sizeof(h->link));

	if (len == 0)
		return "is a link to nothing";
	if (len > LAYER_PATH_MAX)
		return "is a link with a target of more than 4095 bytes";
	if (memchr(link, 0, len))
		return "is a link with a NUL byte in its target";
	*ret = xstrndup(link, len);
	return NULL;
}

static const char *take_device(struct reader *r, const struct ustar *h, struct tree_entry *e)
{
	struct tar_ext *x = &r->ext;

	if ((!x->has_rdev_major && !tar_number(h->major, sizeof(h->major), &x->rdev_major)) ||
	    (!x->has_rdev_minor && !tar_number(h->minor, sizeof(h->minor), &x->rdev_minor)))
		return "is a device whose numbers are none";
	if (x->rdev_major > 0xfff || x->rdev_minor > 0xfffff)
		return "is a device with a number that Linux does not have";
	e->rdev = makedev((unsigned)x->rdev_major, (unsigned)x->rdev_minor);
	return NULL;
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

static mode_t type_of(const struct ustar *h, bool slash)
{
	switch (h->type) {
	case 0:
	case '0':
		/* Version 7 had no type for directories. */
		return slash ? S_IFDIR : S_IFREG;
	case '7':
	case 'S':
	case '1':
		return S_IFREG;
	case '2':
		return S_IFLNK;
	case '3':
		return S_IFCHR;
	case '4':
		return S_IFBLK;
	case '5':
		return S_IFDIR;
	case '6':
		return S_IFIFO;
	default:
		return 0;
	}
}

/* Everything of a member but content: fills @e, and @link for a hard link. */
static const char *take_header(struct reader *r, const struct ustar *h, struct tree_entry *e,
			       uint64_t *ret_size, char **link)
{
	const char *wrong;
	bool slash = false;
	mode_t type;

	wrong = take_path(r, h, &e->path, &slash);
	if (!wrong)
		wrong = take_numbers(r, h, e, ret_size);
	if (wrong)
		return wrong;
	type = type_of(h, slash);
	if (type == 0)
		return "is of a type that is not supported";
	e->mode |= type;
	if (e->path[0] == 0 && type != S_IFDIR)
		return "would replace the root directory";
	if (*ret_size && (type != S_IFREG || h->type == '1'))
		return "has content that its type cannot have";
	if (type == S_IFLNK)
		wrong = take_link(r, h, &e->target);
	else if (type == S_IFCHR || type == S_IFBLK)
		wrong = take_device(r, h, e);
	else if (h->type == '1') {
		_cleanup_free_ char *raw = NULL;

		wrong = take_link(r, h, &raw);
		if (!wrong && layer_clean_path(raw, strlen(raw), link))
			wrong = "is a hard link to a path out of the archive";
	}
	return wrong;
}

static void warn_acl(struct reader *r, const struct ustar *h)
{
	_cleanup_free_ char *name = header_name(r, h);

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
	wrong = c < 0 ? NULL : take_header(r, h, e, &size, &link);
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
	if (!checksum_good(h))
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
		if (e < 0 || all_zero(block.bytes))
			break;
		r.pos += TAR_BLOCK;
		e = take_block(&r, &block.header, err);
	}
	tar_ext_free(&r.ext);
	return e;
}
