/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks to a snapshot and from it. Threads read and hash ahead (block_reader.h), one network loop sends and receives (flow.h). Memory does
 * not depend on the size of the image.
 */
#ifndef MKAPPLIANCE_CLOUD_BLOCKS_H
#define MKAPPLIANCE_CLOUD_BLOCKS_H

#include <stdint.h>

#include "cloud/aws.h"
#include "cloud/aws_ebs.h"
#include "cloud/journal.h"
#include "cloud/meter.h"
#include "cloud/plan.h"

struct blocks_send {
	struct aws *aws;
	const char *snapshot;
	int fd;		  /* of the image */
	const char *name; /* of the image, for messages */
	const struct block_digests *digests;
	const struct plan *plan;
	struct journal *journal; /* what it has as done is not sent; every block that is accepted is noted */
	unsigned connections;	 /* at most; 0: the default of pace.h */
	uint64_t lag_until_ns;	 /* clock_ns() until when the snapshot may not be known yet */
	struct meter *meter;
};

/*
 * Returns when every block that the plan sends is there; @ret_sent: how many this call brought there, also when it fails. The journal holds
 * what was accepted in every case. -EBADMSG (exit code 3) when the image is not what was built; -EINTR after a signal.
 */
int blocks_send(const struct blocks_send *job, uint64_t *ret_sent, struct error *err);

struct blocks_fetch {
	struct aws *aws;
	const char *snapshot;
	const struct ebs_block *list; /* those with a token are fetched */
	size_t count;
	unsigned connections; /* at most; 0: 32 */
	struct meter *meter;
	void *user;
	/* One of them, in any order; its checksum by the service is right. */
	int (*take)(void *user, uint64_t index, const void *data, const struct sha256 *digest,
		    struct error *err);
};

int blocks_fetch(const struct blocks_fetch *job, struct error *err);

#endif
