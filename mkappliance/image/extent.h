/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk as data before it is bytes: a sorted list of runs that know where their content comes from.
 * What lies between runs is zero and is never written.
 */
#ifndef MKAPPLIANCE_IMAGE_EXTENT_H
#define MKAPPLIANCE_IMAGE_EXTENT_H

#include <stddef.h>
#include <stdint.h>

#include "compose/tree.h"

struct extent {
	uint64_t offset; /* from the start of the partition, in bytes */
	uint64_t length;
	const void *memory; /* the bytes; NULL: content of @entry from @file_offset */
	const struct tree_entry *entry;
	uint64_t file_offset;
};

struct extent_list {
	struct extent *ptr; /* sorted by offset, not overlapping */
	size_t len;
	size_t cap;
};

/* Each joins what continues the extent added last, and ignores a @length of 0. Memory is borrowed. */
void extent_add_memory(struct extent_list *l, uint64_t offset, uint64_t length, const void *memory);
void extent_add_file(struct extent_list *l, uint64_t offset, uint64_t length, const struct tree_entry *e,
		     uint64_t file_offset);
/* Sorts by offset and aborts when two overlap: that is a bug of ours. */
void extent_sort(struct extent_list *l);
void extent_free(struct extent_list *l);

#endif
