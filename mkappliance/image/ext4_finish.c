/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Superblock, group descriptors and bitmaps (Documentation/filesystems/ext4/super.rst and following),
 * written by libext2fs into our memory: it believes to write to a disk.
 *
 * Features. No metadata_csum and no uninit groups: dm-verity covers each block with SHA-256 below the file
 * system, a CRC above it would only cost time and a rewrite of many blocks when one file changes.
 * sparse_super2 with no backups: a copy in the middle of the content would part it in two, and what nobody
 * can write needs no repair. No journal, no resize_inode: nothing is ever written. `read-only`: the kernel
 * mounts it read-only whatever it is asked for, so that nobody who looks into an image breaks its hash tree
 * by the mount time alone.
 */
#include "image/ext4_internal.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/mem.h"

#define SUPERBLOCK_AT 1024u

#define COMPAT \
	(EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_DIR_INDEX | EXT4_FEATURE_COMPAT_SPARSE_SUPER2)
#define INCOMPAT \
	(EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS | EXT4_FEATURE_INCOMPAT_FLEX_BG)
#define RO_COMPAT                                                                \
	(EXT2_FEATURE_RO_COMPAT_LARGE_FILE | EXT4_FEATURE_RO_COMPAT_HUGE_FILE |  \
	 EXT4_FEATURE_RO_COMPAT_DIR_NLINK | EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE | \
	 EXT4_FEATURE_RO_COMPAT_READONLY)

/* ---- the disk that libext2fs sees ---- */

static errcode_t memory_open(const char *name, int flags, io_channel *ret);

static errcode_t memory_close(io_channel io)
{
	if (--io->refcount == 0)
		free(io);
	return 0;
}

static errcode_t memory_set_block_size(io_channel io, int size)
{
	io->block_size = size;
	return 0;
}

static errcode_t memory_flush(io_channel io)
{
	(void)io;
	return 0;
}

/* Where @len bytes at @offset of the disk are in memory, NULL when they are neither in front nor bitmaps. */
static uint8_t *memory_at(const struct ext4 *fs, uint64_t offset, uint64_t len)
{
	uint64_t front = (uint64_t)fs->geometry.table_end * EXT4_BLOCK;
	uint64_t bitmap = (uint64_t)fs->geometry.bitmap * EXT4_BLOCK;
	uint64_t bitmap_end = (uint64_t)fs->geometry.bitmap_end * EXT4_BLOCK;

	if (offset < front && len <= front - offset)
		return fs->front + offset;
	if (offset >= bitmap && offset < bitmap_end && len <= bitmap_end - offset)
		return fs->bitmaps + (offset - bitmap);
	return NULL;
}

/* Where @count blocks (a negative one is a number of bytes) are in memory; NULL: nowhere. */
static uint8_t *memory_blocks(io_channel io, unsigned long long block, int count, uint64_t *ret_len)
{
	uint64_t size = (unsigned)io->block_size;

	*ret_len = count < 0 ? 0 - (uint64_t)count : (uint64_t)count * size;
	return io->private_data ? memory_at(io->private_data, block * size, *ret_len) : NULL;
}

static errcode_t memory_write64(io_channel io, unsigned long long block, int count, const void *data)
{
	uint64_t len;
	uint8_t *at = memory_blocks(io, block, count, &len);

	if (!at)
		return EXT2_ET_SHORT_WRITE;
	memcpy(at, data, len);
	return 0;
}

static errcode_t memory_write(io_channel io, unsigned long block, int count, const void *data)
{
	return memory_write64(io, block, count, data);
}

static errcode_t memory_read64(io_channel io, unsigned long long block, int count, void *data)
{
	uint64_t len;
	const uint8_t *at = memory_blocks(io, block, count, &len);

	if (!at)
		return EXT2_ET_SHORT_READ;
	memcpy(data, at, len);
	return 0;
}

static errcode_t memory_read(io_channel io, unsigned long block, int count, void *data)
{
	return memory_read64(io, block, count, data);
}

static struct struct_io_manager memory_manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "memory",
	.open = memory_open,
	.close = memory_close,
	.set_blksize = memory_set_block_size,
	.read_blk = memory_read,
	.write_blk = memory_write,
	.flush = memory_flush,
	.read_blk64 = memory_read64,
	.write_blk64 = memory_write64,
};

/*
 * It has no bytes yet: ext2fs_initialize() neither reads nor writes, and only afterwards can the channel be
 * told of them.
 */
static errcode_t memory_open(const char *name, int flags, io_channel *ret)
{
	static char no_name[] = "";
	io_channel io = xcalloc(1, sizeof(*io));

	(void)name;
	(void)flags;
	io->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	io->manager = &memory_manager;
	io->name = no_name;
	io->block_size = (int)EXT4_BLOCK;
	io->refcount = 1;
	*ret = io;
	return 0;
}

static void filsys_free(ext2_filsys *fs)
{
	if (*fs)
		ext2fs_free(*fs);
}

/* ---- geometry ---- */

static uint8_t log2_up(uint32_t n)
{
	uint8_t log = 1;

	while (log < 31 && 1u << log < n)
		log++;
	return log;
}

static int failed(errcode_t code, const char *what, struct error *err)
{
	initialize_ext2_error_table();
	return error_set(err, -EIO, "ext4: %s: %s", what, error_message(code));
}

static int initialize(struct ext4 *fs, ext2_filsys *ret, struct error *err)
{
	const struct ext4_geometry *g = &fs->geometry;
	struct ext2_super_block want = {
		.s_blocks_count = g->blocks,
		.s_inodes_count = g->inodes_per_group * g->groups,
		.s_blocks_per_group = g->blocks_per_group,
		.s_log_block_size = 2,
		.s_rev_level = EXT2_DYNAMIC_REV,
		.s_inode_size = EXT4_INODE,
		.s_feature_compat = COMPAT,
		.s_feature_incompat = INCOMPAT,
		.s_feature_ro_compat = RO_COMPAT,
		.s_log_groups_per_flex = log2_up(g->groups),
	};
	errcode_t code = ext2fs_initialize("", EXT2_FLAG_64BITS, &want, &memory_manager, ret);

	if (code)
		return failed(code, "laying out the file system", err);
	if (ext2fs_blocks_count((*ret)->super) != g->blocks || (*ret)->group_desc_count != g->groups ||
	    (*ret)->super->s_inodes_per_group != g->inodes_per_group || 1 + (*ret)->desc_blocks != g->table)
		return error_set(
			err, -EIO,
			"ext4: libext2fs chose another layout for %u blocks in %u groups; please report it",
			g->blocks, g->groups);
	(*ret)->io->private_data = fs;
	return 0;
}

/* ---- what is used ---- */

struct range {
	uint64_t start;
	uint64_t end;
};

static uint64_t overlap(const struct range *a, uint64_t start, uint64_t end)
{
	uint64_t from = a->start > start ? a->start : start, to = a->end < end ? a->end : end;

	return to > from ? to - from : 0;
}

static void mark_blocks(const struct ext4 *fs, ext2_filsys l)
{
	const struct ext4_geometry *g = &fs->geometry;
	const struct range used[] = {{0, g->table_end}, {g->small, g->bitmap_end}, {g->data, g->data_end}};
	uint64_t all_free = 0;

	for (size_t i = 0; i < 3; i++)
		if (used[i].end > used[i].start)
			ext2fs_mark_block_bitmap_range2(l->block_map, used[i].start,
							(blk_t)(used[i].end - used[i].start));
	for (dgrp_t group = 0; group < g->groups; group++) {
		uint64_t start = (uint64_t)group * g->blocks_per_group;
		uint64_t end =
			start + g->blocks_per_group < g->blocks ? start + g->blocks_per_group : g->blocks;
		uint64_t unused = end - start;

		for (size_t i = 0; i < 3; i++)
			unused -= overlap(&used[i], start, end);
		ext2fs_bg_free_blocks_count_set(l, group, (uint32_t)unused);
		all_free += unused;
	}
	ext2fs_free_blocks_count_set(l->super, all_free);
}

static int mark_inodes(const struct ext4 *fs, ext2_filsys l, struct error *err)
{
	size_t bytes = div_up(fs->last_ino, 8);
	_cleanup_free_ uint8_t *ones = xmalloc(bytes);
	uint32_t per_group = fs->geometry.inodes_per_group;
	errcode_t code;

	memset(ones, 0xff, bytes);
	code = ext2fs_set_inode_bitmap_range2(l->inode_map, 1, fs->last_ino, ones);
	if (code)
		return failed(code, "marking inodes", err);
	for (dgrp_t group = 0; group < l->group_desc_count; group++) {
		uint64_t before = (uint64_t)group * per_group;
		uint64_t used = fs->last_ino > before ? fs->last_ino - before : 0;

		ext2fs_bg_free_inodes_count_set(l, group, used < per_group ? per_group - (uint32_t)used : 0);
	}
	l->super->s_free_inodes_count = l->super->s_inodes_count - fs->last_ino;
	return 0;
}

static void count_dirs(const struct ext4 *fs, ext2_filsys l)
{
	for (uint32_t i = 0; i < fs->count; i++) {
		const struct ext4_node *n = &fs->nodes[i];
		dgrp_t group = (n->ino - 1) / fs->geometry.inodes_per_group;

		if (S_ISDIR(n->entry->mode) && !n->entry->hardlink)
			ext2fs_bg_used_dirs_count_set(l, group, ext2fs_bg_used_dirs_count(l, group) + 1);
	}
}

/* Tables and bitmaps of all groups lie in front, in the order of the groups. */
static void place_tables(const struct ext4 *fs, ext2_filsys l)
{
	const struct ext4_geometry *g = &fs->geometry;

	for (dgrp_t group = 0; group < g->groups; group++) {
		ext2fs_inode_table_loc_set(l, group,
					   (uint64_t)g->table + (uint64_t)group * l->inode_blocks_per_group);
		ext2fs_block_bitmap_loc_set(l, group, (uint64_t)g->bitmap + group);
		ext2fs_inode_bitmap_loc_set(l, group, (uint64_t)g->bitmap + g->groups + group);
	}
}

/* ---- superblock ---- */

static void set_identity(const struct ext4 *fs, struct ext2_super_block *sb)
{
	memcpy(sb->s_uuid, fs->uuid.b, sizeof(sb->s_uuid));
	memcpy(sb->s_hash_seed, fs->hash_seed.b, sizeof(sb->s_hash_seed));
	memcpy(sb->s_volume_name, fs->label, sizeof(sb->s_volume_name));
	sb->s_def_hash_version = EXT2_HASH_HALF_MD4;
	/* libext2fs would take the signedness of this machine's char. */
	sb->s_flags = (sb->s_flags & ~(uint32_t)EXT2_FLAGS_SIGNED_HASH) | EXT2_FLAGS_UNSIGNED_HASH;
	sb->s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
	sb->s_max_mnt_count = -1;
}

/* libext2fs took the time from the clock. */
static void set_times(const struct ext4 *fs, struct ext2_super_block *sb)
{
	uint64_t t = fs->epoch < 0 ? 0 : (uint64_t)fs->epoch;

	sb->s_mkfs_time = sb->s_lastcheck = sb->s_wtime = (uint32_t)t;
	sb->s_mkfs_time_hi = sb->s_lastcheck_hi = sb->s_wtime_hi = (uint8_t)(t >> 32);
	sb->s_mtime = 0;
	sb->s_mtime_hi = 0;
}

/* What is written: front without the unused end of the inode table, and the bitmaps. */
static void add_extents(struct ext4 *fs)
{
	const struct ext4_geometry *g = &fs->geometry;
	uint64_t bitmaps = (uint64_t)(g->bitmap_end - g->bitmap) * EXT4_BLOCK;
	uint64_t inodes = (uint64_t)fs->last_ino * EXT4_INODE;

	extent_add_memory(&fs->extents, 0, (uint64_t)g->table * EXT4_BLOCK + inodes, fs->front);
	extent_add_memory(&fs->extents, (uint64_t)g->bitmap * EXT4_BLOCK, bitmaps, fs->bitmaps);
}

int ext4_finish(struct ext4 *fs, struct error *err)
{
	_cleanup_(filsys_free) ext2_filsys l = NULL;
	errcode_t code;
	int r = initialize(fs, &l, err);

	if (r < 0)
		return r;
	fs->bitmaps = xcalloc(fs->geometry.bitmap_end - fs->geometry.bitmap, EXT4_BLOCK);
	place_tables(fs, l);
	mark_blocks(fs, l);
	r = mark_inodes(fs, l, err);
	if (r < 0)
		return r;
	count_dirs(fs, l);
	set_identity(fs, l->super);
	code = ext2fs_flush(l);
	if (code)
		return failed(code, "writing the superblock", err);
	set_times(fs, l->super);
	memcpy(fs->front + SUPERBLOCK_AT, l->super, sizeof(*l->super));
	add_extents(fs);
	return 0;
}
