/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a registered image back, to prove that it is what was built: what 'mkappliance verify PROVIDER:ID' asks a provider. */
#ifndef MKAPPLIANCE_CLOUD_REMOTE_H
#define MKAPPLIANCE_CLOUD_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "image/manifest.h"
#include "lib/error.h"

#define REMOTE_NONE UINT64_MAX

struct remote_read {
	/* What is asked; borrowed. */
	const char *id; /* of the image or snapshot, as the provider calls it */
	const char *region, *profile, *endpoint_url, *connect;
	const struct manifest *m;
	const struct block_digests *digests; /* that belong to @m; NULL: not known, then only @full */
	bool full;			     /* every block that is there, rather than some */
	int fd;				     /* gets what is read at its place; -1: nothing is kept */
	bool json;			     /* progress as JSON objects */
	int (*reader)(struct remote_read *r,
		      struct error *err); /* the provider's, such as aws_remote_read() */
	/* What was found. */
	char snapshot[64];
	char image_region[64];
	uint64_t there;	  /* blocks that the provider lists */
	uint64_t read;	  /* of these: compared, or only kept when there are no @digests */
	uint64_t missing; /* the first block that matters and is not there; REMOTE_NONE */
	uint64_t differs; /* the first block with other bytes; REMOTE_NONE */
};

/* 0 when it was read, whatever it holds; exit code 3 for an image that says itself that it is another one. */
int aws_remote_read(struct remote_read *r, struct error *err);

#endif
