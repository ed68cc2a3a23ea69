/* SPDX-License-Identifier: Apache-2.0 */
/* The digest of a layer's listing, with or without content; declared in compose_internal.h. */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/compose_internal.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"

#define CHUNK ((size_t)256 << 10)

/* Everything but content, unambiguously: each text with its length. */
static void describe(const struct layer_entry *le, struct buf *b)
{
	const struct tree_entry *e = le->entry;

	buf_printf(b, "%zu:%s %o %u %u %ju ", strlen(e->path), e->path, e->mode, e->uid, e->gid,
		   (uintmax_t)e->rdev);
	if (le->link)
		buf_printf(b, "= %zu:%s", strlen(le->link), le->link);
	if (e->target)
		buf_printf(b, "-> %zu:%s", strlen(e->target), e->target);
	for (size_t i = 0; i < e->xattr_count; i++) {
		buf_printf(b, " %s %zu:", e->xattrs[i].name, e->xattrs[i].len);
		buf_add(b, e->xattrs[i].value, e->xattrs[i].len);
	}
	buf_printf(b, " %" PRIu64 "\n", e->size);
}

static int add_content(struct hasher *h, const struct tree *t, const struct tree_entry *e, char *chunk,
		       struct error *err)
{
	for (uint64_t at = 0; at < e->size;) {
		size_t n = e->size - at < CHUNK ? (size_t)(e->size - at) : CHUNK;
		int r = tree_read(t, e, at, chunk, n, err);

		if (r < 0)
			return r;
		hasher_add(h, chunk, n);
		at += n;
	}
	return 0;
}

/* @t: where content is read; NULL: it is left out. */
static int digest_entries(const struct layer *l, const struct tree *t, struct sha256 *ret, uint64_t *ret_size,
			  struct error *err)
{
	_cleanup_hasher_ struct hasher *h = hasher_new();
	_cleanup_free_ char *chunk = xmalloc(CHUNK);
	_cleanup_buf_ struct buf line = {0};
	uint64_t size = 0;

	for (size_t i = 0; i < l->len; i++) {
		const struct tree_entry *e = l->entries[i].entry;
		int r = i % 256 == 0 ? interrupt_check(err) : 0;

		line.len = 0;
		describe(&l->entries[i], &line);
		hasher_add(h, line.ptr, line.len);
		if (r == 0 && S_ISREG(e->mode) && !l->entries[i].link) {
			size += e->size;
			r = t ? add_content(h, t, e, chunk, err) : 0;
		}
		if (r < 0)
			return r;
	}
	hasher_final(h, ret);
	*ret_size = size;
	return 0;
}

int layer_digest(const struct layer *l, struct sha256 *ret, uint64_t *ret_size, struct error *err)
{
	struct tree_source source = {.fd = l->fd, .name = l->name};
	const struct tree t = {.sources = &source, .source_count = 1};

	return digest_entries(l, &t, ret, ret_size, err);
}

int layer_listing_digest(const struct layer *l, struct sha256 *ret, uint64_t *ret_size, struct error *err)
{
	return digest_entries(l, NULL, ret, ret_size, err);
}
