/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inode table (Documentation/filesystems/ext4/inodes.rst) and what hangs on each inode. Written
 * straight into the table: ext2fs_write_inode_full() would read and write a whole block for each.
 */
#include "image/ext4_internal.h"

#include <ext2fs/ext2fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/mem.h"

#define SECTORS_PER_BLOCK (EXT4_BLOCK / 512)

/* 34 bits, counted from 1901: ext4 ends in May 2446. Times before 1970 are not worth a second rule. */
#define TIME_MAX ((int64_t)0x37fffffff)

_Static_assert(sizeof(struct ext2_inode_large) == 128 + EXT4_EXTRA_ISIZE, "extra fields up to i_projid");

static void put_times(struct ext2_inode_large *d, int64_t mtime)
{
	int64_t t = mtime < 0 ? 0 : mtime > TIME_MAX ? TIME_MAX : mtime;
	uint32_t low = (uint32_t)t;
	/* The lower half is signed; the two bits above say which multiple of 2^32 to add. */
	uint32_t epoch = (uint32_t)((t - (int32_t)low) >> 32) & 3;

	d->i_atime = d->i_ctime = d->i_mtime = d->i_crtime = low;
	d->i_atime_extra = d->i_ctime_extra = d->i_mtime_extra = d->i_crtime_extra = epoch;
}

static void put_device(struct ext2_inode_large *d, dev_t dev)
{
	unsigned ma = major(dev), mi = minor(dev);

	if (ma < 256 && mi < 256)
		d->i_block[0] = ma << 8 | mi;
	else
		d->i_block[1] = (mi & 0xff) | ma << 8 | (mi & ~0xffu) << 12;
}

static void put_map(struct ext4 *fs, const struct ext4_node *n, struct ext2_inode_large *d)
{
	d->i_flags |= EXT4_EXTENTS_FL;
	ext4_map_fill(fs, n, d->i_block);
}

static uint64_t put_symlink(struct ext4 *fs, const struct ext4_node *n, struct ext2_inode_large *d)
{
	size_t len = strlen(n->entry->target);

	if (n->blocks) {
		memcpy(ext4_small_block(fs, n->block, (uint32_t)len), n->entry->target, len);
		put_map(fs, n, d);
	} else {
		memcpy(d->i_block, n->entry->target, len);
	}
	return len;
}

static uint64_t put_dir(struct ext4 *fs, const struct ext4_node *n, struct ext2_inode_large *d)
{
	ext4_dir_fill(fs, n);
	put_map(fs, n, d);
	if (n->indexed)
		d->i_flags |= EXT2_INDEX_FL;
	/* 1: more than can be counted (feature dir_nlink). */
	d->i_links_count = n->links > EXT4_MAX_LINKS ? 1 : (uint16_t)n->links;
	return (uint64_t)n->blocks * EXT4_BLOCK;
}

static uint64_t put_file(struct ext4 *fs, const struct ext4_node *n, struct ext2_inode_large *d)
{
	put_map(fs, n, d);
	ext4_map_content(fs, n);
	return n->entry->size;
}

/* By type of file; returns its size. */
static uint64_t put_content(struct ext4 *fs, const struct ext4_node *n, struct ext2_inode_large *d)
{
	switch (n->entry->mode & S_IFMT) {
	case S_IFREG:
		return put_file(fs, n, d);
	case S_IFDIR:
		return put_dir(fs, n, d);
	case S_IFLNK:
		return put_symlink(fs, n, d);
	case S_IFCHR:
	case S_IFBLK:
		put_device(d, n->entry->rdev);
		return 0;
	default:
		return 0;
	}
}

static void put_xattrs(struct ext4 *fs, const struct ext4_node *n, uint8_t *in_inode)
{
	_Alignas(8) uint8_t unused[EXT4_BLOCK];
	uint8_t *block = n->xattr_block ? ext4_small_block(fs, n->xattr_block, EXT4_BLOCK) : unused;
	struct error err = ERROR_INIT;
	bool needed;

	/* It fitted when it was measured. */
	if (ext4_xattr_pack(n->entry, in_inode, block, &needed, &err) < 0 || needed != (n->xattr_block != 0))
		abort();
}

static void put_inode(struct ext4 *fs, const struct ext4_node *n)
{
	uint8_t *at =
		fs->front + (uint64_t)fs->geometry.table * EXT4_BLOCK + (uint64_t)(n->ino - 1) * EXT4_INODE;
	const struct tree_entry *e = n->entry;
	uint64_t sectors = ((uint64_t)n->blocks + n->tree_blocks + (n->xattr_block != 0)) * SECTORS_PER_BLOCK;
	struct ext2_inode_large d = {
		.i_mode = (uint16_t)e->mode,
		.i_uid = (uint16_t)e->uid,
		.i_gid = (uint16_t)e->gid,
		.i_links_count = (uint16_t)n->links,
		.i_blocks = (uint32_t)sectors,
		.i_file_acl = n->xattr_block,
		.i_extra_isize = EXT4_EXTRA_ISIZE,
	};
	uint64_t size = put_content(fs, n, &d);

	d.i_size = (uint32_t)size;
	d.i_size_high = (uint32_t)(size >> 32);
	d.osd2.linux2.l_i_blocks_hi = (uint16_t)(sectors >> 32);
	d.osd2.linux2.l_i_uid_high = (uint16_t)(e->uid >> 16);
	d.osd2.linux2.l_i_gid_high = (uint16_t)(e->gid >> 16);
	put_times(&d, e->mtime);
	memcpy(at, &d, sizeof(d));
	if (e->xattr_count)
		put_xattrs(fs, n, at + sizeof(d));
}

void ext4_fill(struct ext4 *fs)
{
	fs->front = xcalloc(fs->geometry.table_end, EXT4_BLOCK);
	for (uint32_t i = 0; i < fs->count; i++) {
		const struct ext4_node *n = &fs->nodes[fs->order[i]];

		if (!n->entry->hardlink)
			put_inode(fs, n);
	}
}
