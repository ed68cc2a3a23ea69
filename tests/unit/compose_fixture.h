/* SPDX-License-Identifier: Apache-2.0 */
/* Tars made byte by byte, and trees looked at, for the tests of compose. */
#ifndef TESTS_UNIT_COMPOSE_FIXTURE_H
#define TESTS_UNIT_COMPOSE_FIXTURE_H

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "compose/layer.h"
#include "compose/merge.h"
#include "compose/tar.h"
#include "lib/hash.h"
#include "lib/spawn.h"

/* A member's header; the fields that are not set are sensible. */
struct member {
	const char *path;
	char type; /* '0' when 0 */
	const char *link;
	const char *data; /* text */
	unsigned mode;	  /* 0644, 0755 for directories */
	unsigned major, minor;
	const char *size; /* raw octal digits that replace the right ones */
	const char *uid;  /* the raw 8 bytes */
};

/* Adds the bytes @data, padded to whole blocks. */
__attribute__((unused)) static void tar_add_data(struct buf *tar, const void *data, size_t len)
{
	buf_add(tar, data, len);
	buf_add_zero(tar, (512 - len % 512) % 512);
}

/* @digits octal digits and a NUL. */
static void put_octal(char *field, unsigned digits, uint64_t v)
{
	field[digits] = 0;
	while (digits-- > 0) {
		field[digits] = (char)('0' + (v & 7));
		v >>= 3;
	}
}

static void tar_seal(char *header)
{
	uint64_t sum = 0;

	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += (uint8_t)header[i];
	put_octal(header + 148, 6, sum);
}

__attribute__((unused)) static void tar_add(struct buf *tar, const struct member *m)
{
	char h[512] = {0};
	char type = m->type ? m->type : '0';
	size_t len = m->data ? strlen(m->data) : 0;

	snprintf(h, 100, "%s", m->path);
	put_octal(h + 100, 7, m->mode ? m->mode : type == '5' ? 0755 : 0644);
	put_octal(h + 108, 7, 0);
	if (m->uid)
		memcpy(h + 108, m->uid, 8);
	put_octal(h + 116, 7, 0);
	put_octal(h + 124, 11, len);
	if (m->size)
		memcpy(h + 124, m->size, strlen(m->size) < 12 ? strlen(m->size) : 12);
	put_octal(h + 136, 11, 1);
	h[156] = type;
	snprintf(h + 157, 100, "%s", m->link ? m->link : "");
	memcpy(h + 257, "ustar\00000", 8);
	put_octal(h + 329, 7, m->major);
	put_octal(h + 337, 7, m->minor);
	tar_seal(h);
	buf_add(tar, h, sizeof(h));
	tar_add_data(tar, m->data, len);
}

/* Appends the pax record "LENGTH KEY=VALUE\n". */
__attribute__((unused)) static void pax_add(struct buf *records, const char *key, const char *value)
{
	size_t rest = strlen(key) + strlen(value) + 3, len = rest + 1;

	while (snprintf(NULL, 0, "%zu", len) + (int)rest != (int)len)
		len++;
	buf_printf(records, "%zu %s=%s\n", len, key, value);
}

/* A pax header with one record. */
__attribute__((unused)) static void tar_add_pax(struct buf *tar, char type, const char *key,
						const char *value)
{
	_cleanup_buf_ struct buf records = {0};

	pax_add(&records, key, value);
	tar_add(tar, &(struct member){.path = "pax", .type = type, .data = records.ptr});
}

__attribute__((unused)) static void tar_end(struct buf *tar)
{
	buf_add_zero(tar, 1024);
}

/* The layer of these bytes. */
static int layer_of(const struct buf *tar, struct layer *ret, struct error *err)
{
	int r;

	ret->name = xstrdup("test.tar");
	ret->fd = memfd_create("test.tar", MFD_CLOEXEC);
	assert_true(ret->fd >= 0);
	assert_int_equal(io_write_full(ret->fd, "memfd", tar->ptr ? tar->ptr : "", tar->len, err), 0);
	r = tar_index(ret->fd, ret->name, ret, err);
	return r;
}

/* The same from a list of members that ends in a path of NULL. */
__attribute__((unused)) static struct layer layer_from(const struct member *list)
{
	_cleanup_buf_ struct buf tar = {0};
	struct layer l = LAYER_INIT;
	struct error err = ERROR_INIT;

	for (; list->path; list++)
		tar_add(&tar, list);
	tar_end(&tar);
	if (layer_of(&tar, &l, &err) < 0)
		fail_msg("%s", err.text);
	return l;
}

/*
 * Every line "/PATH TYPE MODE UID:GID SIZE ..." of a tree, with content, so that two can be compared as
 * text.
 */
__attribute__((unused)) static char *tree_text(const struct tree *t)
{
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < t->len; i++) {
		const struct tree_entry *e = t->entries[i];

		buf_printf(&b, "/%s %o %u:%u n%u", e->path, e->mode, e->uid, e->gid, e->nlink);
		if (e->hardlink)
			buf_printf(&b, " = /%s", e->hardlink->path);
		if (e->target)
			buf_printf(&b, " -> %s", e->target);
		if (e->rdev)
			buf_printf(&b, " dev %jx", (uintmax_t)e->rdev);
		for (size_t x = 0; x < e->xattr_count; x++)
			buf_printf(&b, " %s=%.*s", e->xattrs[x].name, (int)e->xattrs[x].len,
				   (const char *)e->xattrs[x].value);
		if (S_ISREG(e->mode) && !e->hardlink) {
			_cleanup_free_ void *data = NULL;
			size_t len = 0;
			char hex[SHA256_HEX_SIZE];
			struct sha256 digest;

			if (tree_read_all(t, e, (size_t)64 << 20, &data, &len, &err) < 0)
				fail_msg("%s", err.text);
			sha256_of(data, len, &digest);
			hex_encode(digest.b, 8, hex);
			buf_printf(&b, " %ju bytes %s", (uintmax_t)e->size, len < 40 ? (char *)data : hex);
		}
		buf_add(&b, "\n", 1);
	}
	return buf_steal(&b);
}

/* One layer alone as text. */
__attribute__((unused)) static char *layer_text(struct layer *l)
{
	_cleanup_merge_ struct merge *m = merge_new();
	_cleanup_tree_ struct tree *t = NULL;
	struct error err = ERROR_INIT;

	if (merge_layer(m, l, 0, 0, &err) < 0)
		fail_msg("%s", err.text);
	t = merge_finish(m, INT64_MAX);
	return tree_text(t);
}

/* Runs a program to its good end. The arguments end in NULL. */
__attribute__((unused)) static void run_program(const char *const *argv)
{
	struct spawn s = {.argv = argv};
	struct error err = ERROR_INIT;

	if (spawn_run(&s, &err) < 0)
		fail_msg("%s", err.text);
}

#endif
