/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes (Documentation/filesystems/ext4/attributes.rst). Entries grow from the front, in the
 * order that the kernel searches in; values from the end; four zero bytes between them.
 */
#include "image/ext4_internal.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <stdlib.h>
#include <string.h>

/* Needs the types of ext2fs.h. */
#include <ext2fs/ext2_ext_attr.h>

#include "lib/cleanup.h"
#include "lib/mem.h"

/* Names are stored without their name space, which is a number. */
static const struct name_space {
	const char *prefix;
	uint8_t index;
	bool whole; /* the prefix is all of the name */
} name_spaces[] = {
	{"user.", 1, false},
	{"system.posix_acl_access", 2, true},
	{"system.posix_acl_default", 3, true},
	{"trusted.", 4, false},
	{"security.", 6, false},
};

#define INDEX_ACL_ACCESS  2
#define INDEX_ACL_DEFAULT 3

struct attribute {
	uint8_t index;
	const char *name; /* without its name space */
	size_t name_len;
	const void *value;
	size_t len;
	void *own; /* value that had to be translated */
};

struct attributes {
	struct attribute *ptr;
	size_t len;
};

static void attributes_free(struct attributes *a)
{
	for (size_t i = 0; i < a->len; i++)
		free(a->ptr[i].own);
	free(a->ptr);
}

#define _cleanup_attributes_ _cleanup_(attributes_free)

/* ---- access control lists ---- */

/* As getxattr(2) gives them: linux/posix_acl_xattr.h, version 2. */
struct acl_entry {
	uint16_t tag;
	uint16_t perm;
	uint32_t id;
};

#define ACL_VERSION	 2u
#define ACL_VERSION_EXT4 1u
#define ACL_USER	 0x02
#define ACL_GROUP	 0x08
#define ACL_SHORT	 4u /* in ext4 only named users and groups have an id */

/* The form that ext4 has on disk: fs/ext4/acl.h. */
static int translate_acl(const struct tree_entry *e, const struct tree_xattr *x, struct attribute *a,
			 struct error *err)
{
	uint32_t version = 0, disk_version = ACL_VERSION_EXT4;
	const uint8_t *p = x->value;
	uint8_t *out;

	if (x->len >= sizeof(version))
		memcpy(&version, p, sizeof(version));
	if (version != ACL_VERSION || (x->len - sizeof(version)) % sizeof(struct acl_entry))
		return error_set(err, -EINVAL, "/%s: attribute %s is not an access control list", e->path,
				 x->name);
	a->own = out = xmalloc(x->len);
	memcpy(out, &disk_version, sizeof(disk_version));
	a->len = sizeof(disk_version);
	for (size_t at = sizeof(version); at < x->len; at += sizeof(struct acl_entry)) {
		struct acl_entry entry;
		size_t size;

		memcpy(&entry, p + at, sizeof(entry));
		size = entry.tag == ACL_USER || entry.tag == ACL_GROUP ? sizeof(entry) : ACL_SHORT;
		memcpy(out + a->len, &entry, size);
		a->len += size;
	}
	a->value = out;
	return 0;
}

/* ---- the list ---- */

static int set_attribute(const struct tree_entry *e, const struct tree_xattr *x, struct attribute *a,
			 struct error *err)
{
	for (size_t i = 0; i < sizeof(name_spaces) / sizeof(name_spaces[0]); i++) {
		const struct name_space *s = &name_spaces[i];
		size_t len = strlen(s->prefix);

		if (strncmp(x->name, s->prefix, len) != 0 || (s->whole == (x->name[len] != 0)))
			continue;
		*a = (struct attribute){.index = s->index,
					.name = x->name + len,
					.name_len = strlen(x->name + len),
					.value = x->value,
					.len = x->len};
		if (a->name_len > 255)
			return error_set(err, -ENAMETOOLONG,
					 "/%s: the name of attribute %s is longer than 255 bytes", e->path,
					 x->name);
		if (a->index == INDEX_ACL_ACCESS || a->index == INDEX_ACL_DEFAULT)
			return translate_acl(e, x, a, err);
		return 0;
	}
	return error_set(err, -EINVAL,
			 "/%s: attribute %s: ext4 can store only user, trusted, security and ACLs", e->path,
			 x->name);
}

static int by_name(const void *p, const void *q)
{
	const struct attribute *x = p, *y = q;

	if (x->index != y->index)
		return (int)x->index - (int)y->index;
	if (x->name_len != y->name_len)
		return x->name_len < y->name_len ? -1 : 1;
	return memcmp(x->name, y->name, x->name_len);
}

static int list_attributes(const struct tree_entry *e, struct attributes *a, struct error *err)
{
	a->ptr = xcalloc(e->xattr_count, sizeof(*a->ptr));
	for (size_t i = 0; i < e->xattr_count; i++) {
		int r = set_attribute(e, &e->xattrs[i], &a->ptr[a->len++], err);

		if (r < 0)
			return r;
	}
	qsort(a->ptr, a->len, sizeof(*a->ptr), by_name);
	return 0;
}

/* ---- packing ---- */

/* The inode's space or a block. Entries start at @front, values at @back; offsets count from @base. */
struct area {
	uint8_t *base;
	uint8_t *front;
	uint8_t *back;
	bool hashed; /* entries in a block carry a hash of name and value */
};

static bool fits(const struct area *area, const struct attribute *a)
{
	size_t need = EXT2_EXT_ATTR_LEN(a->name_len) + sizeof(uint32_t);

	/* Lengths one by one: a value from outside may be huge. */
	return need <= (size_t)(area->back - area->front) &&
	       a->len <= ((size_t)(area->back - area->front) - need) / EXT2_EXT_ATTR_PAD * EXT2_EXT_ATTR_PAD;
}

static void put(struct area *area, const struct attribute *a)
{
	struct ext2_ext_attr_entry *entry = (struct ext2_ext_attr_entry *)area->front;

	area->back -= EXT2_EXT_ATTR_SIZE(a->len);
	if (a->len)
		memcpy(area->back, a->value, a->len);
	entry->e_name_len = (uint8_t)a->name_len;
	entry->e_name_index = a->index;
	entry->e_value_offs = a->len ? (uint16_t)(area->back - area->base) : 0;
	entry->e_value_size = (uint32_t)a->len;
	memcpy(EXT2_EXT_ATTR_NAME(entry), a->name, a->name_len);
	if (area->hashed)
		entry->e_hash = ext2fs_ext_attr_hash_entry(entry, area->back);
	area->front += EXT2_EXT_ATTR_LEN(a->name_len);
}

static void finish_block(uint8_t *block, struct area *area)
{
	struct ext2_ext_attr_header *h = (struct ext2_ext_attr_header *)block;

	h->h_magic = EXT2_EXT_ATTR_MAGIC;
	h->h_refcount = 1;
	h->h_blocks = 1;
	ext2fs_ext_attr_block_rehash(h, (struct ext2_ext_attr_entry *)area->front);
}

int ext4_xattr_pack(const struct tree_entry *e, uint8_t *in_inode, uint8_t *block, bool *ret_block,
		    struct error *err)
{
	const uint32_t magic = EXT2_EXT_ATTR_MAGIC;
	uint8_t *first = in_inode + sizeof(magic);
	struct area near = {.base = first, .front = first, .back = in_inode + EXT4_XATTR_SPACE};
	struct area far = {.base = block,
			   .front = block + sizeof(struct ext2_ext_attr_header),
			   .back = block + EXT4_BLOCK,
			   .hashed = true};
	_cleanup_attributes_ struct attributes list = {0};
	int r = list_attributes(e, &list, err);
	bool used = false;

	if (r < 0)
		return r;
	for (size_t i = 0; i < list.len; i++) {
		const struct attribute *a = &list.ptr[i];

		if (fits(&near, a)) {
			put(&near, a);
		} else if (fits(&far, a)) {
			put(&far, a);
			used = true;
		} else {
			return error_set(
				err, -E2BIG,
				"/%s: its attributes are too large; ext4 has one block of %u bytes for them",
				e->path, EXT4_BLOCK);
		}
	}
	if (near.front != first)
		memcpy(in_inode, &magic, sizeof(magic));
	if (used)
		finish_block(block, &far);
	*ret_block = used;
	return 0;
}
