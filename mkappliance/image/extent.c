/* SPDX-License-Identifier: Apache-2.0 */
#include "image/extent.h"

#include <stdlib.h>

#include "lib/mem.h"

static void add(struct extent_list *l, struct extent x)
{
	array_grow(l->ptr, l->len, l->cap);
	l->ptr[l->len++] = x;
}

/* The last extent, when one at @offset would continue it on the disk. */
static struct extent *ends_at(struct extent_list *l, uint64_t offset)
{
	struct extent *last = l->len ? &l->ptr[l->len - 1] : NULL;

	return last && last->offset + last->length == offset ? last : NULL;
}

void extent_add_memory(struct extent_list *l, uint64_t offset, uint64_t length, const void *memory)
{
	struct extent *last = ends_at(l, offset);

	if (length == 0)
		return;
	if (last && last->memory && (const char *)last->memory + last->length == memory)
		last->length += length;
	else
		add(l, (struct extent){.offset = offset, .length = length, .memory = memory});
}

void extent_add_file(struct extent_list *l, uint64_t offset, uint64_t length, const struct tree_entry *e,
		     uint64_t file_offset)
{
	struct extent *last = ends_at(l, offset);

	if (length == 0)
		return;
	if (last && last->entry == e && !last->memory && last->file_offset + last->length == file_offset)
		last->length += length;
	else
		add(l, (struct extent){
			       .offset = offset, .length = length, .entry = e, .file_offset = file_offset});
}

static int by_offset(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

void extent_sort(struct extent_list *l)
{
	if (l->len > 1)
		qsort(l->ptr, l->len, sizeof(*l->ptr), by_offset);
	for (size_t i = 1; i < l->len; i++)
		if (l->ptr[i].offset - l->ptr[i - 1].offset < l->ptr[i - 1].length)
			abort();
}

void extent_free(struct extent_list *l)
{
	free(l->ptr);
	*l = (struct extent_list){0};
}
