/* SPDX-License-Identifier: Apache-2.0 */
/* One header of a tar: its numbers, its checksum, and the entry that it describes; no reading. Declared in tar_header.h. */
#include "compose/tar_header.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/cleanup.h"

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

bool tar_checksum_good(const struct ustar *h)
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

bool tar_all_zero(const void *block)
{
	const char *p = block;

	return p[0] == 0 && memcmp(p, p + 1, TAR_BLOCK - 1) == 0;
}

bool tar_begins(const void *block)
{
	return !tar_all_zero(block) && tar_checksum_good(block);
}

char *tar_header_name(const struct tar_ext *x, const struct ustar *h)
{
	const char *prefix = memcmp(h->magic, "ustar", 6) == 0 ? h->prefix : "";

	if (x->path)
		return xstrndup(x->path, x->path_len < 200 ? x->path_len : 200);
	return xasprintf("%.155s%s%.100s", prefix, *prefix ? "/" : "", h->name);
}

/* Numbers of the header, as the extension corrects them. */
static const char *take_numbers(struct tar_ext *x, const struct ustar *h, struct tree_entry *e,
				uint64_t *ret_size)
{
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

/* layer_clean_path() of a name that may begin with slashes where @rooted says so. */
static const char *clean(const char *name, size_t len, bool rooted, char **ret)
{
	while (rooted && len > 0 && *name == '/') {
		name++;
		len--;
	}
	return layer_clean_path(name, len, ret);
}

static const char *take_path(struct tar_ext *x, const struct ustar *h, bool rooted, char **ret,
			     bool *ret_slash)
{
	char joined[sizeof(h->prefix) + 1 + sizeof(h->name)];
	const char *name = joined;
	size_t len = 0;

	if (x->real_path) {
		name = x->real_path;
		len = x->real_path_len;
	} else if (x->path) {
		name = x->path;
		len = x->path_len;
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
	return clean(name, len, rooted, ret);
}

/* The text of a link: bytes, followed nowhere. */
static const char *take_link(struct tar_ext *x, const struct ustar *h, char **ret)
{
	const char *link = x->link ? x->link : h->link;
	size_t len = x->link ? x->link_len : strnlen(h->link, sizeof(h->link));

	if (len == 0)
		return "is a link to nothing";
	if (len > LAYER_PATH_MAX)
		return "is a link with a target of more than 4095 bytes";
	if (memchr(link, 0, len))
		return "is a link with a NUL byte in its target";
	*ret = xstrndup(link, len);
	return NULL;
}

static const char *take_device(struct tar_ext *x, const struct ustar *h, struct tree_entry *e)
{
	if ((!x->has_rdev_major && !tar_number(h->major, sizeof(h->major), &x->rdev_major)) ||
	    (!x->has_rdev_minor && !tar_number(h->minor, sizeof(h->minor), &x->rdev_minor)))
		return "is a device whose numbers are none";
	if (x->rdev_major > 0xfff || x->rdev_minor > 0xfffff)
		return "is a device with a number that Linux does not have";
	e->rdev = makedev((unsigned)x->rdev_major, (unsigned)x->rdev_minor);
	return NULL;
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

const char *tar_header_take(struct tar_ext *x, const struct ustar *h, bool rooted, struct tree_entry *e,
			    uint64_t *ret_size, char **link)
{
	const char *wrong;
	bool slash = false;
	mode_t type;

	wrong = take_path(x, h, rooted, &e->path, &slash);
	if (!wrong)
		wrong = take_numbers(x, h, e, ret_size);
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
		wrong = take_link(x, h, &e->target);
	else if (type == S_IFCHR || type == S_IFBLK)
		wrong = take_device(x, h, e);
	else if (h->type == '1') {
		_cleanup_free_ char *raw = NULL;

		wrong = take_link(x, h, &raw);
		if (!wrong && clean(raw, strlen(raw), rooted, link))
			wrong = "is a hard link to a path out of the archive";
	}
	return wrong;
}
