/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extent trees (Documentation/filesystems/ext4/ifork.rst, "Extent Tree"). The blocks of a file lie in one
 * run on the disk; it takes several extents only because of holes and because an extent has at most 32768
 * blocks. Four extents fit into the inode, and up to 340 into each node outside of it.
 */
#include "image/ext4_internal.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <ext2fs/ext3_extents.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/mem.h"

#define IN_INODE 4u
#define PER_BLOCK \
	((EXT4_BLOCK - (unsigned)sizeof(struct ext3_extent_header)) / (unsigned)sizeof(struct ext3_extent))

/* Blocks [first, first + count) of a file that are stored, the run'th of it. */
struct span {
	uint64_t first;
	uint64_t count;
};

struct span_iterator {
	const struct ext4_node *node;
	size_t run;
};

/*
 * The next span, or false. Runs of bytes that share a block, or touch, are one span. A file without origin
 * is one hole; a node that is not a regular file has all of its blocks.
 */
static bool next_span(struct span_iterator *it, struct span *ret)
{
	const struct tree_entry *e = it->node->entry;
	uint64_t end;

	if (S_ISREG(e->mode) && e->origin == ORIGIN_NONE)
		return false;
	if (!e->runs || !S_ISREG(e->mode)) {
		*ret = (struct span){.count = it->node->blocks};
		return it->run++ == 0 && it->node->blocks > 0;
	}
	while (it->run < e->run_count && e->runs[it->run].length == 0)
		it->run++;
	if (it->run == e->run_count)
		return false;
	ret->first = e->runs[it->run].offset / EXT4_BLOCK;
	end = div_up(e->runs[it->run].offset + e->runs[it->run].length, EXT4_BLOCK);
	for (it->run++; it->run < e->run_count && e->runs[it->run].offset / EXT4_BLOCK <= end; it->run++)
		if (e->runs[it->run].length)
			end = div_up(e->runs[it->run].offset + e->runs[it->run].length, EXT4_BLOCK);
	ret->count = end - ret->first;
	return true;
}

/* ---- size ---- */

static int check_runs(const struct tree_entry *e, struct error *err)
{
	uint64_t end = 0;

	if (e->size > (uint64_t)UINT32_MAX * EXT4_BLOCK)
		return error_set(err, -EFBIG, "/%s: larger than the 16 TiB that ext4 can hold", e->path);
	for (size_t i = 0; e->runs && i < e->run_count; i++) {
		const struct tree_run *r = &e->runs[i];

		if (r->offset < end || r->offset > e->size || r->length > e->size - r->offset)
			return error_set(err, -EINVAL, "/%s: sparse map is out of order or beyond the end",
					 e->path);
		end = r->offset + r->length;
	}
	return 0;
}

/*
 * Nodes outside of the inode for @extents: leaves, and levels of pointers until one of them fits into the
 * inode.
 */
static uint64_t count_tree_blocks(uint64_t extents)
{
	uint64_t total = 0;

	while (extents > IN_INODE) {
		extents = div_up(extents, PER_BLOCK);
		total += extents;
	}
	return total;
}

static uint64_t count_extents(const struct ext4_node *n, uint64_t *ret_blocks)
{
	struct span_iterator it = {.node = n};
	uint64_t extents = 0, blocks = 0;
	struct span s;

	while (next_span(&it, &s)) {
		extents += div_up(s.count, EXT4_MAX_EXTENT);
		blocks += s.count;
	}
	*ret_blocks = blocks;
	return extents;
}

int ext4_map_measure(struct ext4_node *n, struct error *err)
{
	uint64_t blocks;
	int r = S_ISREG(n->entry->mode) ? check_runs(n->entry, err) : 0;

	if (r < 0)
		return r;
	if (S_ISREG(n->entry->mode))
		n->blocks = (uint32_t)div_up(n->entry->size, EXT4_BLOCK);
	n->tree_blocks = (uint32_t)count_tree_blocks(count_extents(n, &blocks));
	n->blocks = (uint32_t)blocks;
	return 0;
}

/* ---- the tree ---- */

static void put_header(uint8_t *at, uint32_t entries, uint32_t max, uint32_t depth)
{
	struct ext3_extent_header h = {.eh_magic = EXT3_EXT_MAGIC,
				       .eh_entries = (uint16_t)entries,
				       .eh_max = (uint16_t)max,
				       .eh_depth = (uint16_t)depth};

	memcpy(at, &h, sizeof(h));
}

/* All extents of the node, as the leaves of the tree have them. */
static struct ext3_extent *list_extents(const struct ext4_node *n, uint64_t count)
{
	struct ext3_extent *list = xcalloc(count, sizeof(*list)), *x = list;
	struct span_iterator it = {.node = n};
	uint32_t disk = n->block;
	struct span s;

	while (next_span(&it, &s)) {
		for (uint64_t done = 0, len; done < s.count; done += len) {
			len = s.count - done < EXT4_MAX_EXTENT ? s.count - done : EXT4_MAX_EXTENT;
			*x++ = (struct ext3_extent){.ee_block = (uint32_t)(s.first + done),
						    .ee_len = (uint16_t)len,
						    .ee_start = disk};
			disk += (uint32_t)len;
		}
	}
	return list;
}

_Static_assert(sizeof(struct ext3_extent) == sizeof(struct ext3_extent_idx),
	       "entries of both kinds have one size");

/*
 * Writes @count entries of one level to nodes of their own from @block on. The list becomes that of the
 * level above: a pointer to each node. Both kinds of entries begin with the first block of the file that
 * they tell of.
 */
static uint64_t put_level(struct ext4 *fs, uint32_t block, uint32_t depth, struct ext3_extent *list,
			  uint64_t count)
{
	uint64_t nodes = div_up(count, PER_BLOCK);

	for (uint64_t i = 0; i < nodes; i++) {
		uint64_t from = i * PER_BLOCK;
		uint32_t n = (uint32_t)(count - from < PER_BLOCK ? count - from : PER_BLOCK);
		uint32_t used = (uint32_t)(sizeof(struct ext3_extent_header) + n * sizeof(*list));
		uint8_t *node = ext4_small_block(fs, block + (uint32_t)i, used);
		struct ext3_extent_idx up = {.ei_block = list[from].ee_block, .ei_leaf = block + (uint32_t)i};

		put_header(node, n, PER_BLOCK, depth);
		memcpy(node + sizeof(struct ext3_extent_header), list + from, n * sizeof(*list));
		memcpy(&list[i], &up, sizeof(up));
	}
	return nodes;
}

void ext4_map_fill(struct ext4 *fs, const struct ext4_node *n, void *i_block)
{
	uint64_t blocks, count = count_extents(n, &blocks);
	_cleanup_free_ struct ext3_extent *list = list_extents(n, count);
	uint32_t block = n->tree_block, depth = 0;

	while (count > IN_INODE) {
		count = put_level(fs, block, depth++, list, count);
		block += (uint32_t)count;
	}
	put_header(i_block, (uint32_t)count, IN_INODE, depth);
	memcpy((uint8_t *)i_block + sizeof(struct ext3_extent_header), list, count * sizeof(*list));
}

void ext4_map_content(struct ext4 *fs, const struct ext4_node *n)
{
	struct span_iterator it = {.node = n};
	uint64_t disk = (uint64_t)n->block * EXT4_BLOCK;
	struct span s;

	while (next_span(&it, &s)) {
		uint64_t from = s.first * EXT4_BLOCK, len = s.count * EXT4_BLOCK;
		uint64_t left = n->entry->size - from;

		extent_add_file(&fs->extents, disk, len < left ? len : left, n->entry, from);
		disk += len;
	}
}
