/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where everything lies. The order on the disk:
 *
 *   superblock, group descriptors | inode tables of all groups in one piece | free
 *   directories, long symbolic links, attributes, extent trees | block bitmaps, inode bitmaps | free
 *   content of files in the order (layer, path), without a gap
 *
 * The next version of an appliance should differ from this one in few blocks, as the difference is what is
 * uploaded. Content of the lower layers comes first and so is not moved by what follows it. It would be
 * moved when anything in front of it grew: therefore the sizes of the pieces in front go up in steps, by an
 * eighth of their magnitude, and the rest of a step is free blocks that are never written. A few files more
 * or less stay within a step. The bitmaps come late because they grow with the content.
 */
#include "image/ext4_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/mem.h"

#define INODE_STEP 256u /* smallest steps */
#define BLOCK_STEP 64u

#define DESCRIPTOR_SIZE 32u
/*
 * A last group with fewer blocks than its own inode table would need and about this many is dropped by
 * libext2fs.
 */
#define LAST_GROUP_SPARE 64u

static uint64_t coarse(uint64_t n, uint64_t smallest_step)
{
	uint64_t step = smallest_step;

	while (step * 16 <= n)
		step *= 2;
	return round_up(n, step);
}

static uint64_t at_least(uint64_t n, uint64_t low)
{
	return n < low ? low : n;
}

struct places {
	uint64_t table, table_end, small, bitmap, bitmap_end, data, data_end;
};

/* The order of things for a number of groups. */
static void place(uint64_t groups, uint64_t inodes_per_group, uint64_t small_blocks, uint64_t data_blocks,
		  struct places *p)
{
	p->table = 1 + div_up(groups * DESCRIPTOR_SIZE, EXT4_BLOCK);
	p->table_end = p->table + groups * inodes_per_group / EXT4_INODES_PER_BLOCK;
	p->small = coarse(p->table_end, BLOCK_STEP);
	p->bitmap = p->small + small_blocks;
	p->bitmap_end = p->bitmap + 2 * groups;
	p->data = data_blocks ? coarse(p->bitmap_end, BLOCK_STEP) : p->bitmap_end;
	p->data_end = p->data + data_blocks;
}

/*
 * Groups are a way of counting here: tables and bitmaps of all of them lie in front (flex_bg). One has
 * 32768 blocks, or fewer where there are more than 32768 inodes for that many blocks.
 */
static void size_groups(const struct places *p, struct ext4_geometry *g)
{
	uint64_t own = g->inodes_per_group / EXT4_INODES_PER_BLOCK + LAST_GROUP_SPARE;
	uint64_t blocks = p->data_end, last;

	g->blocks_per_group = EXT4_MAX_GROUP;
	if (div_up(blocks, EXT4_MAX_GROUP) < g->groups)
		g->blocks_per_group = (uint32_t)round_up(at_least(div_up(blocks, g->groups), own), 8);
	last = (uint64_t)(g->groups - 1) * g->blocks_per_group;
	g->blocks = (uint32_t)at_least(blocks, last + own);
}

int ext4_geometry(uint32_t inodes, uint64_t small_blocks, uint64_t data_blocks, struct ext4_geometry *ret,
		  struct error *err)
{
	uint64_t wanted = coarse(inodes, INODE_STEP);
	uint64_t groups = div_up(wanted, EXT4_MAX_GROUP), per_group;
	struct ext4_geometry g;
	struct places p;

	/* More groups need more bitmaps, which may need one more group. */
	for (;;) {
		per_group = round_up(div_up(wanted, groups), EXT4_INODES_PER_BLOCK);
		place(groups, per_group, small_blocks, data_blocks, &p);
		if (div_up(p.data_end, EXT4_MAX_GROUP) <= groups)
			break;
		groups = div_up(p.data_end, EXT4_MAX_GROUP);
	}
	if (p.data_end > UINT32_MAX - EXT4_MAX_GROUP)
		return error_set(err, -EFBIG, "the root file system would need %ju GiB; 16 TiB is the most",
				 (uintmax_t)(p.data_end >> 18));
	g = (struct ext4_geometry){
		.groups = (uint32_t)groups,
		.inodes_per_group = (uint32_t)per_group,
		.table = (uint32_t)p.table,
		.table_end = (uint32_t)p.table_end,
		.small = (uint32_t)p.small,
		.bitmap = (uint32_t)p.bitmap,
		.bitmap_end = (uint32_t)p.bitmap_end,
		.data = (uint32_t)p.data,
		.data_end = (uint32_t)p.data_end,
	};
	size_groups(&p, &g);
	*ret = g;
	return 0;
}

/* ---- nodes ---- */

static int measure_xattrs(const struct tree_entry *e, bool *ret_block, struct error *err)
{
	_Alignas(8) uint8_t in_inode[EXT4_XATTR_SPACE] = {0};
	_Alignas(8) uint8_t block[EXT4_BLOCK] = {0};

	return ext4_xattr_pack(e, in_inode, block, ret_block, err);
}

static int measure_node(struct ext4 *fs, struct ext4_node *n, struct error *err)
{
	const struct tree_entry *e = n->entry;
	bool xattr_block = false;
	int r = 0;

	if (S_ISDIR(e->mode))
		r = ext4_dir_measure(fs, n, err);
	else if (S_ISLNK(e->mode))
		n->blocks = strlen(e->target) >= EXT4_INLINE_SYMLINK;
	if (r == 0)
		r = ext4_map_measure(n, err);
	if (r == 0 && e->xattr_count)
		r = measure_xattrs(e, &xattr_block, err);
	n->xattr_block = xattr_block;
	return r;
}

/* From sizes to places; xattr_block was only a flag so far. */
static void place_nodes(struct ext4 *fs)
{
	uint32_t small = fs->geometry.small, data = fs->geometry.data;

	for (uint32_t i = 0; i < fs->count; i++) {
		struct ext4_node *n = &fs->nodes[fs->order[i]];
		uint32_t *content = S_ISREG(n->entry->mode) ? &data : &small;

		if (n->entry->hardlink)
			continue;
		n->block = *content;
		*content += n->blocks;
		n->tree_block = small;
		small += n->tree_blocks;
		if (n->xattr_block)
			n->xattr_block = small++;
	}
}

int ext4_measure(struct ext4 *fs, struct error *err)
{
	uint64_t small = 0, data = 0;
	int r;

	for (uint32_t i = 0; i < fs->count; i++) {
		struct ext4_node *n = &fs->nodes[i];

		if (n->entry->hardlink)
			continue;
		r = measure_node(fs, n, err);
		if (r < 0)
			return r;
		*(S_ISREG(n->entry->mode) ? &data : &small) += n->blocks;
		small += n->tree_blocks + n->xattr_block;
	}
	r = ext4_geometry(fs->last_ino, small, data, &fs->geometry, err);
	if (r < 0)
		return r;
	place_nodes(fs);
	return 0;
}
