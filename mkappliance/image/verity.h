/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dm-verity, format 1, SHA-256, 4096-byte data and hash blocks: superblock and tree exactly as veritysetup
 * writes them (cryptsetup docs/on-disk-format-verity; kernel
 * Documentation/admin-guide/device-mapper/verity.rst).
 */
#ifndef MKAPPLIANCE_IMAGE_VERITY_H
#define MKAPPLIANCE_IMAGE_VERITY_H

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/guid.h"
#include "lib/hash.h"

#define VERITY_BLOCK		4096u
#define VERITY_HASHES_PER_BLOCK (VERITY_BLOCK / SHA256_SIZE)
#define VERITY_MAX_LEVELS	10
#define VERITY_SALT_SIZE	32

/* Where each level of the tree lies on the hash device. Level 0 holds the digests of the data blocks. */
struct verity_geometry {
	uint64_t data_blocks;
	unsigned levels;
	/* In blocks from the start of the hash device; block 0 is the superblock. */
	uint64_t level_start[VERITY_MAX_LEVELS];
	uint64_t level_blocks[VERITY_MAX_LEVELS];
	uint64_t hash_blocks; /* with the superblock */
};

/* @data_blocks: 1 to 2^40. */
int verity_geometry(uint64_t data_blocks, struct verity_geometry *ret, struct error *err);

struct verity_superblock {
	struct guid uuid;
	uint64_t data_blocks;
	uint8_t salt[VERITY_SALT_SIZE];
};

/* The 4096 bytes of the first block of the hash device. */
void verity_superblock_encode(const struct verity_superblock *sb, uint8_t out[VERITY_BLOCK]);
/* Refuses whatever verity_superblock_encode() would not have written. Parser of untrusted bytes. */
int verity_superblock_decode(const uint8_t *in, size_t len, struct verity_superblock *ret, struct error *err);

/*
 * Digests of @count whole blocks at @data: SHA-256(salt || block) each, to @out; a block of zeros costs a
 * comparison. And, when @ret_plain is not NULL, SHA-256 over all of @data, in the same pass over the memory.
 */
struct verity_hasher;
struct verity_hasher *verity_hasher_new(const uint8_t salt[VERITY_SALT_SIZE]); /* one a thread */
struct verity_hasher *verity_hasher_new_portable(
	const uint8_t salt[VERITY_SALT_SIZE]); /* by libcrypto alone */
void verity_hash_blocks(struct verity_hasher *h, const void *data, size_t count, struct sha256 *out,
			struct sha256 *ret_plain);
void verity_hasher_free(struct verity_hasher *h);
void verity_hasher_freep(struct verity_hasher **h);
#define _cleanup_verity_hasher_ __attribute__((cleanup(verity_hasher_freep)))

/*
 * A hash tree on its way. Level 0 is never held: whoever hashes the data hands each of its blocks over and
 * stores it; in memory are the levels above, 1/16384 of the data.
 */
struct verity_tree {
	struct verity_geometry geometry;
	uint8_t *upper;	       /* blocks 1 to level_start[0] - 1 of the hash device */
	uint64_t upper_blocks; /* 0 with fewer than two levels */
	struct sha256 root;    /* valid after verity_tree_finish() */
};

int verity_tree_init(struct verity_tree *t, uint64_t data_blocks, struct error *err);
void verity_tree_free(struct verity_tree *t);
#define _cleanup_verity_tree_ __attribute__((cleanup(verity_tree_free)))

/*
 * Block @index of level 0: VERITY_HASHES_PER_BLOCK digests, those behind the last data block zero. Threads
 * may call it at the same time for different blocks.
 */
void verity_tree_set(struct verity_tree *t, struct verity_hasher *h, uint64_t index,
		     const struct sha256 *digests);

/*
 * Computes the levels above and the root hash, once all of level 0 was set. With one data block the root hash
 * is its digest.
 */
void verity_tree_finish(struct verity_tree *t, struct verity_hasher *h);

#endif
