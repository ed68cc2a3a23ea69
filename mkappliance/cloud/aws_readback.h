/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a snapshot holds, against what was meant: the list of its blocks, the list of what differs from its parent, and the bytes of some or
 * all of them.
 */
#ifndef MKAPPLIANCE_CLOUD_AWS_READBACK_H
#define MKAPPLIANCE_CLOUD_AWS_READBACK_H

#include <stdint.h>

#include "cloud/aws.h"
#include "cloud/aws_ebs.h"
#include "cloud/meter.h"
#include "cloud/plan.h"

struct readback {
	struct aws *aws;
	const char *snapshot;
	const char *parent; /* NULL: none */
	const struct manifest *m;
	const struct block_digests *digests;
	const struct plan *plan;
	bool full; /* every block, not only some */
	unsigned connections;
	struct meter *meter;
	uint64_t lag_until_ns;
};

/*
 * Refuses (exit code 3) a snapshot that has other blocks than the plan says, differs from its parent in others than were sent, or has
 * a block with other bytes; the message names the block and what lies there. @ret_checked: how many were read.
 */
int readback_check(const struct readback *job, uint64_t *ret_checked, struct error *err);

/*
 * Whether a snapshot can be the parent of a delta by what it holds: its blocks lie within @digests and @n of them, chosen at random, have the
 * bytes that these say. -EBADMSG or -EINVAL with the reason when not. @ret_present: a bitmap of digests->count bits, to be freed.
 */
int readback_parent(struct aws *a, const char *snapshot, const struct block_digests *digests, unsigned n,
		    struct meter *meter, uint8_t **ret_present, struct error *err);

/* Takes the tokens away of all blocks but both partition tables, the first of each partition and 16 at random: those are fetched. */
void readback_choose(const struct manifest *m, struct ebs_blocks *blocks);
/* How many have a token. */
uint64_t readback_count(const struct ebs_blocks *blocks);

/* "partition table", "esp", "root", "root-verity" or "no partition": what lies in block @index. */
const char *readback_place(const struct manifest *m, uint64_t index);

#endif
