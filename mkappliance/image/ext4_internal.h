/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the ext4*.c files only. The stages of ext4_plan(), each of which needs the ones before it:
 *
 *   ext4_collect()   tree -> nodes: one per entry, with parents, children and inode numbers
 *   ext4_measure()   how many blocks each node takes, and where they lie; the geometry of the file system
 *   ext4_fill()      inode table, directories, symbolic links, attributes, extent trees; the list of extents
 *   ext4_finish()    superblock, group descriptors and bitmaps, by libext2fs
 *
 * Structures of the disk are written as they are in memory: both architectures that images are built on are
 * little endian.
 */
#ifndef MKAPPLIANCE_IMAGE_EXT4_INTERNAL_H
#define MKAPPLIANCE_IMAGE_EXT4_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "image/ext4.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ext4 structures are little endian");

#define EXT4_BLOCK	      4096u
#define EXT4_INODE	      256u
#define EXT4_INODES_PER_BLOCK (EXT4_BLOCK / EXT4_INODE)
#define EXT4_EXTRA_ISIZE      32u /* what struct ext2_inode_large has beyond the first 128 bytes */
#define EXT4_XATTR_SPACE      (EXT4_INODE - 128 - EXT4_EXTRA_ISIZE) /* in the inode, with its magic */
#define EXT4_ROOT_INO	      2u
#define EXT4_LOST_FOUND_INO   11u	       /* the first that is not reserved: where mke2fs puts it */
#define EXT4_MAX_GROUP	      (8 * EXT4_BLOCK) /* blocks and inodes that one bitmap block can tell of */
#define EXT4_MAX_LINKS	      65000u
#define EXT4_MAX_EXTENT	      32768u /* blocks */
#define EXT4_INLINE_SYMLINK   60u    /* targets shorter than this lie in the inode */
#define EXT4_HASH_VERSION     4	     /* half MD4 over unsigned characters, as libext2fs numbers it */

/* An entry of the tree: a name, and unless it is a further name of another's file, an inode. */
struct ext4_node {
	const struct tree_entry *entry;
	const char *name; /* the last part of the path; not terminated where it ends */
	uint32_t name_len;
	uint32_t parent; /* node; the root is its own */
	uint32_t ino;
	uint32_t links;	   /* names; of a directory: subdirectories + 2 */
	uint32_t children; /* directories: their nodes are fs->children[first_child...] */
	uint32_t first_child;
	uint32_t block; /* of the content: file, directory, long symbolic link */
	uint32_t blocks;
	uint32_t tree_block; /* of the nodes of the extent tree that do not fit into the inode */
	uint32_t tree_blocks;
	uint32_t xattr_block; /* 0: none, or all in the inode */
	bool indexed;	      /* directory with a hash tree */
};

/* Places and sizes in blocks; see ext4_geometry() for the order of things. */
struct ext4_geometry {
	uint32_t groups;
	uint32_t blocks_per_group;
	uint32_t inodes_per_group;
	uint32_t table; /* the inode table, of all groups in one piece */
	uint32_t table_end;
	uint32_t small;	 /* directories, symbolic links, attributes, extent trees */
	uint32_t bitmap; /* block bitmaps of all groups, then inode bitmaps of all groups */
	uint32_t bitmap_end;
	uint32_t data; /* content of files */
	uint32_t data_end;
	uint32_t blocks;
};

struct ext4 {
	const struct tree *tree;
	struct guid uuid, hash_seed;
	uint32_t seed[4]; /* hash_seed as ext2fs_dirhash2() wants it */
	int64_t epoch;
	char label[16];
	struct tree_entry root, lost_found; /* used when the tree has none */

	struct ext4_node *nodes; /* [0] is the root, then in tree order */
	uint32_t count;
	/* Of all directories, each one's together: in name order, or hash order when indexed. */
	uint32_t *children;
	uint32_t *order; /* nodes in the order of placing: (layer, path) */
	uint32_t last_ino;

	struct ext4_geometry geometry;
	uint8_t *front; /* superblock, group descriptors, inode table */
	uint8_t *bitmaps;
	struct ext4_chunk *chunks; /* memory of small blocks */
	struct extent_list extents;
};

static inline uint64_t div_up(uint64_t n, uint64_t by)
{
	return n / by + (n % by != 0);
}

static inline uint64_t round_up(uint64_t n, uint64_t to)
{
	return div_up(n, to) * to;
}

/* ---- ext4_collect.c ---- */
int ext4_collect(struct ext4 *fs, struct error *err);

/* ---- ext4_layout.c ---- */
int ext4_measure(struct ext4 *fs, struct error *err);
/* Pure: from what there is to place to where everything lies. */
int ext4_geometry(uint32_t inodes, uint64_t small_blocks, uint64_t data_blocks, struct ext4_geometry *ret,
		  struct error *err);

/* ---- ext4_dir.c ---- */
/* Sets blocks and indexed; sorts the children by hash when indexed. */
int ext4_dir_measure(struct ext4 *fs, struct ext4_node *dir, struct error *err);
void ext4_dir_fill(struct ext4 *fs, const struct ext4_node *dir);

/* ---- ext4_map.c: from blocks of a file to blocks of the disk ---- */
/* Sets blocks and tree_blocks of a regular file. */
int ext4_map_measure(struct ext4_node *n, struct error *err);
/* Writes the root of the extent tree into the inode and its other nodes into tree_block. */
void ext4_map_fill(struct ext4 *fs, const struct ext4_node *n, void *i_block);
/* Adds the content of a regular file to the list of extents. */
void ext4_map_content(struct ext4 *fs, const struct ext4_node *n);

/* ---- ext4_xattr.c ---- */
/*
 * Packs the attributes of @e: first as many as fit into @in_inode (EXT4_XATTR_SPACE bytes, zeroed;
 * untouched when none does), the others into @block (EXT4_BLOCK bytes, zeroed). @ret_block tells whether
 * that one is needed.
 */
int ext4_xattr_pack(const struct tree_entry *e, uint8_t *in_inode, uint8_t *block, bool *ret_block,
		    struct error *err);

/* ---- ext4_inode.c ---- */
void ext4_fill(struct ext4 *fs);

/* ---- ext4_finish.c ---- */
int ext4_finish(struct ext4 *fs, struct error *err);

/* ---- ext4.c ---- */
/* Zeroed memory for the first @used bytes of block @block, which is in the list of extents from now on. */
void *ext4_small_block(struct ext4 *fs, uint32_t block, uint32_t used);

#endif
