/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/rpm_ndb.h"

#include <errno.h>
#include <string.h>

#define BLOCK	  16u
#define PAGE	  4096u
#define SLOT	  16u /* magic, number of the package, block where it begins (0: free), blocks */
#define FIRST	  32u /* where the slots begin: behind magic, version, generation, pages of slots */
#define BLOB_HEAD 16u /* magic, number of the package, time, length */
#define BLOB_TAIL 12u /* Adler-32 of all before it, length, magic */

/* rpm's tags and types: include/rpm/rpmtag.h. */
enum {
	EPOCH = 1003,
	TYPE_INT32 = 4,
	TYPE_STRING = 6,
	TYPE_STRING_ARRAY = 8,
	TYPE_I18N = 9,
};

/* What is asked for, in the order of RPMDB_FORMAT, and what follows it there: EPOCH:VERSION-RELEASE is one field. */
static const struct {
	uint32_t tag;
	const char *behind;
} fields[] = {
	{1000, "\a"},				  /* NAME */
	{EPOCH, ":"}, {1001, "-"},  {1002, "\a"}, /* VERSION, RELEASE */
	{1022, "\a"},				  /* ARCH */
	{1044, "\a"},				  /* SOURCERPM */
	{1014, "\a"},				  /* LICENSE */
	{1011, "\a"}, {1015, "\a"},		  /* VENDOR, PACKAGER */
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

/* One package as it lies in the database. */
struct blob {
	uint8_t *ptr; /* of its head */
	size_t len;   /* of the header in it */
	size_t tail;  /* where the tail lies, from ptr */
};

static uint32_t little32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void set_little32(uint8_t *p, uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t big32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* RFC 1950, 8.2. */
static uint32_t adler32(const uint8_t *p, size_t len)
{
	uint32_t a = 1, b = 0;

	while (len > 0) {
		size_t n = len < 5552 ? len : 5552; /* as many as cannot overflow */

		for (size_t i = 0; i < n; i++) {
			a += p[i];
			b += a;
		}
		a %= 65521;
		b %= 65521;
		p += n;
		len -= n;
	}
	return b << 16 | a;
}

/* ---- the file ---- */

/* The blob that the slot at @slot names; its bounds are checked, and that it is whole. */
static int open_blob(uint8_t *data, size_t len, const uint8_t *slot, struct blob *ret)
{
	uint64_t at = (uint64_t)little32(slot + 8) * BLOCK, size = (uint64_t)little32(slot + 12) * BLOCK;
	struct blob b;

	if (at > len || size > len - at || size < BLOB_HEAD + BLOB_TAIL)
		return -EINVAL;
	b.ptr = data + at;
	b.len = little32(b.ptr + 12);
	b.tail = size - BLOB_TAIL;
	if (memcmp(b.ptr, "BlbS", 4) != 0 || memcmp(b.ptr + size - 4, "BlbE", 4) != 0 ||
	    little32(b.ptr + 4) != little32(slot + 4) || b.len > b.tail - BLOB_HEAD ||
	    little32(b.ptr + b.tail + 4) != b.len || adler32(b.ptr, b.tail) != little32(b.ptr + b.tail))
		return -EINVAL;
	*ret = b;
	return 0;
}

/* Calls @take for each package. */
static int for_each(uint8_t *data, size_t len, const char *name,
		    int (*take)(const struct blob *b, void *data), void *user, struct error *err)
{
	uint64_t end;

	if (len < PAGE || memcmp(data, "RpmP", 4) != 0 || little32(data + 4) != 0)
		return error_set(err, -EINVAL, "%s: is not an rpm database of the format ndb, version 0",
				 name);
	end = (uint64_t)little32(data + 12) * PAGE;
	if (end == 0 || end > len)
		return error_set(err, -EINVAL, "%s: is cut off", name);
	for (uint64_t at = FIRST; at < end; at += SLOT) {
		const uint8_t *slot = data + at;
		struct blob b;

		if (memcmp(slot, "Slot", 4) != 0)
			return error_set(err, -EINVAL, "%s: its table of packages is damaged", name);
		if (little32(slot + 8) == 0)
			continue;
		if (open_blob(data, len, slot, &b) < 0 || take(&b, user) < 0)
			return error_set(err, -EINVAL, "%s: package %u in it is damaged", name,
					 little32(slot + 4));
	}
	return 0;
}

/* ---- a package ---- */

/* The text at @offset of the data; a byte that would end a field or a record is a blank. */
static int add_text(const uint8_t *data, size_t len, uint32_t offset, struct buf *ret)
{
	const uint8_t *end = offset < len ? memchr(data + offset, 0, len - offset) : NULL;

	if (!end)
		return -EINVAL;
	for (const uint8_t *p = data + offset; p < end; p++)
		buf_add(ret, *p == '\a' || *p == '\b' ? " " : (const char *)p, 1);
	return 0;
}

static int add_tag(const uint8_t *entry, const uint8_t *data, size_t len, struct buf *ret)
{
	uint32_t type = big32(entry + 4), offset = big32(entry + 8);

	if (big32(entry + 12) == 0)
		return -EINVAL;
	if (type == TYPE_STRING || type == TYPE_STRING_ARRAY || type == TYPE_I18N)
		return add_text(data, len, offset, ret);
	if (type != TYPE_INT32 || offset > len || len - offset < 4)
		return -EINVAL;
	buf_printf(ret, "%u", big32(data + offset));
	return 0;
}

static int add_package(const struct blob *b, void *to)
{
	const uint8_t *header = b->ptr + BLOB_HEAD, *found[FIELD_COUNT] = {NULL}, *data;
	struct buf *ret = to;
	uint64_t index, size;

	if (b->len < 8)
		return -EINVAL;
	index = (uint64_t)big32(header) * 16;
	size = big32(header + 4);
	if (index + size > b->len - 8)
		return -EINVAL;
	data = header + 8 + index;
	for (const uint8_t *entry = header + 8; entry < data; entry += 16)
		for (size_t i = 0; i < FIELD_COUNT; i++)
			if (big32(entry) == fields[i].tag)
				found[i] = entry;
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (!found[i] && fields[i].tag == EPOCH)
			continue;
		if (found[i] && add_tag(found[i], data, size, ret) < 0)
			return -EINVAL;
		buf_add(ret, fields[i].behind, 1);
	}
	buf_add(ret, "\b", 1);
	return 0;
}

int rpm_ndb_text(const void *data, size_t len, const char *name, struct buf *ret, struct error *err)
{
	/* Not written to: add_package() does not. */
	return for_each((uint8_t *)(uintptr_t)data, len, name, add_package, ret, err);
}

/* ---- its time ---- */

static int set_time(const struct blob *b, void *time)
{
	set_little32(b->ptr + 8, *(uint32_t *)time);
	set_little32(b->ptr + b->tail, adler32(b->ptr, b->tail));
	return 0;
}

int rpm_ndb_set_time(void *data, size_t len, const char *name, uint32_t time, struct error *err)
{
	return for_each(data, len, name, set_time, &time, err);
}
