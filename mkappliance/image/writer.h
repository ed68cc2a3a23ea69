/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot path: brings the bytes of a partition to the disk file and hashes them on the way, in pieces of
 * 512 KiB by as many threads as there are processors. Each byte is read once, written once and passes once
 * through the hashes; zeros are neither written nor hashed.
 */
#ifndef MKAPPLIANCE_IMAGE_WRITER_H
#define MKAPPLIANCE_IMAGE_WRITER_H

#include "image/extent.h"
#include "image/verity.h"
#include "lib/hash.h"
#include "lib/log.h"

/* The digest of every 512 KiB block of the disk: content of NAME-VERSION.blocks. */
struct block_digests {
	struct sha256 *ptr;
	uint64_t count;
};

/* Blocks that nobody writes have the digest of 512 KiB of zeros. @disk_size is a multiple of LAYOUT_BLOCK. */
void block_digests_init(struct block_digests *d, uint64_t disk_size);
void block_digests_free(struct block_digests *d);

struct writer {
	int fd;		  /* the disk file, of its final size, all holes */
	const char *name; /* for messages */
	const struct tree *tree;
	unsigned threads; /* 0: one a processor */
	struct block_digests *blocks;
	struct progress *progress; /* bytes; may be NULL */
	uint64_t
		*nonzero; /* raised by the bytes of the 4096-byte blocks that are not all zero; may be NULL */
};

/*
 * Writes @extents at @offset (a multiple of 512 KiB); records the block digests. The last block counts to its
 * end.
 */
int writer_put(const struct writer *w, uint64_t offset, uint64_t size, const struct extent_list *extents,
	       struct error *err);

/*
 * The same for the root (@root_size bytes at @root_offset) with its hash tree at @verity_offset: superblock,
 * tree, root hash.
 */
int writer_put_verity(const struct writer *w, uint64_t root_offset, uint64_t root_size,
		      const struct extent_list *extents, uint64_t verity_offset,
		      const struct verity_superblock *sb, struct sha256 *ret_root, struct error *err);

/* Reads block @index back and records its digest: for what another library wrote (GPT). */
int writer_rehash(const struct writer *w, uint64_t index, struct error *err);

#endif
