/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The read-only ext4 root: planned from the tree, never mounted. Format: Documentation/filesystems/ext4 of
 * the Linux kernel; written through libext2fs. 4096-byte blocks, 256-byte inodes, extents, no journal, no
 * reserved blocks, metadata in one piece in front, files behind it contiguous in the order (layer, path),
 * just as many blocks as needed.
 */
#ifndef MKAPPLIANCE_IMAGE_EXT4_H
#define MKAPPLIANCE_IMAGE_EXT4_H

#include "image/extent.h"
#include "lib/error.h"
#include "lib/guid.h"

struct ext4_params {
	struct guid uuid;
	struct guid hash_seed;
	int64_t epoch;	   /* every time that the tree does not give */
	const char *label; /* at most 16 bytes */
};

/* A planned file system: the extents borrow memory of it and content of the tree. */
struct ext4;

int ext4_plan(const struct tree *tree, const struct ext4_params *params, struct ext4 **ret,
	      struct error *err);
uint64_t ext4_size(const struct ext4 *fs); /* bytes, a multiple of 4096 */
const struct extent_list *ext4_extents(const struct ext4 *fs);
void ext4_free(struct ext4 *fs);
void ext4_freep(struct ext4 **fs);
#define _cleanup_ext4_ __attribute__((cleanup(ext4_freep)))

/*
 * Who owns block @block of the file system at byte @offset of the image @fd: "/usr/bin/hello", or "inode
 * table", "directory /usr", "free" and so on. For messages about a damaged image, so it never fails:
 * "unknown" when the metadata cannot be read. To be freed.
 */
char *ext4_block_owner(int fd, uint64_t offset, uint64_t block);

/*
 * The first data block of the file @path (symbolic links are followed) in the file system at byte @offset
 * of the image @fd, counted in blocks of the file system. -ENOENT when there is none.
 */
int ext4_first_block(int fd, uint64_t offset, const char *path, uint64_t *ret, struct error *err);

#endif
