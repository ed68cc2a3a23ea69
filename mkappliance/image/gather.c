/* SPDX-License-Identifier: Apache-2.0 */
#include "image/gather.h"

#include <string.h>

/* Index of the first extent that ends behind @offset; l->len when there is none. */
static size_t first_behind(const struct extent_list *l, uint64_t offset)
{
	size_t low = 0, high = l->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->ptr[middle].offset + l->ptr[middle].length <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool gather_touches(const struct extent_list *l, uint64_t offset, uint64_t len)
{
	size_t i = first_behind(l, offset);

	return i < l->len && l->ptr[i].offset < offset + len;
}

/* Copies @len bytes from byte @skip of the extent on. */
static int copy(const struct tree *tree, const struct extent *x, uint64_t skip, uint8_t *to, size_t len,
		struct error *err)
{
	if (x->memory) {
		memcpy(to, (const uint8_t *)x->memory + skip, len);
		return 0;
	}
	return tree_read(tree, x->entry, x->file_offset + skip, to, len, err);
}

int gather(const struct tree *tree, const struct extent_list *l, uint64_t offset, uint8_t *buf, size_t len,
	   struct error *err)
{
	uint64_t at = offset, end = offset + len;

	for (size_t i = first_behind(l, offset); i < l->len && l->ptr[i].offset < end; i++) {
		const struct extent *x = &l->ptr[i];
		uint64_t from = x->offset > offset ? x->offset : offset;
		uint64_t to = x->offset + x->length < end ? x->offset + x->length : end;
		int r;

		memset(buf + (at - offset), 0, from - at);
		r = copy(tree, x, from - x->offset, buf + (from - offset), to - from, err);
		if (r < 0)
			return r;
		at = to;
	}
	memset(buf + (at - offset), 0, end - at);
	return 0;
}
