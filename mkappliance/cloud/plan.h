/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which 512 KiB blocks of an image have to be sent: pure, from the manifest, the block digests and, for a delta, what a parent
 * snapshot holds.
 *
 * A block is left out by its meaning only, never because it is zero: on an encrypted volume a block that was never written reads as
 * garbage, and a child of a parent snapshot reads the parent's block. What is kept true for every snapshot that is made so, and what
 * the next delta builds on: each block is there with the digest of .blocks, or it is not there and nobody cares what it holds.
 */
#ifndef MKAPPLIANCE_CLOUD_PLAN_H
#define MKAPPLIANCE_CLOUD_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "image/manifest.h"
#include "image/writer.h"
#include "lib/error.h"

enum plan_action {
	PLAN_SEND,
	PLAN_UNCHANGED, /* the parent has it with the same digest */
	PLAN_DONT_CARE, /* zeros that nobody reads, and the parent has nothing else there */
};

/* What a parent snapshot holds. */
struct plan_parent {
	const struct block_digests *blocks; /* its .blocks */
	const uint8_t *present; /* bitmap of blocks->count bits: the blocks that the provider lists */
};

struct plan {
	uint8_t *action; /* enum plan_action of each block */
	uint64_t count;
	uint64_t send;
	uint64_t send_zero; /* of these: blocks of zeros */
	uint64_t unchanged;
	uint64_t dont_care;
	bool delta; /* there was a parent */
};

static inline bool bit_get(const uint8_t *bitmap, uint64_t i)
{
	return bitmap[i / 8] >> (i % 8) & 1;
}

static inline void bit_set(uint8_t *bitmap, uint64_t i)
{
	bitmap[i / 8] |= (uint8_t)(1u << (i % 8));
}

/*
 * @blocks belongs to @m (plan_check_blocks()). @parent NULL: everything that matters is sent. -EINVAL when the parent is larger than
 * the image, or lacks a block that its digests say is not zero. @ret is freed by plan_free().
 */
int plan_make(const struct manifest *m, const struct block_digests *blocks, const struct plan_parent *parent,
	      struct plan *ret, struct error *err);
void plan_free(struct plan *p);
#define _cleanup_plan_ __attribute__((cleanup(plan_free)))

/* Refuses digests that are not those which the manifest commits to. @name: of their file. */
int plan_check_blocks(const struct manifest *m, const struct block_digests *blocks, const char *name,
		      struct error *err);

/* SHA-256 over the digests of the blocks that are sent, in rising order: what EBS calls the LINEAR checksum. */
void plan_linear_checksum(const struct plan *p, const struct block_digests *blocks, struct sha256 *ret);

/* Price of @puts, @gets and @lists requests of the EBS direct APIs in US dollars (list price of us-east-1). */
double plan_cost(uint64_t puts, uint64_t gets, uint64_t lists);

/* The digest of 512 KiB of zeros. */
const struct sha256 *plan_zero_digest(void);

#endif
