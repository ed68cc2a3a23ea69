/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a delta can be trusted, and what has to be sent. */
#ifndef MKAPPLIANCE_CLOUD_AWS_PARENT_H
#define MKAPPLIANCE_CLOUD_AWS_PARENT_H

#include "cloud/aws_upload.h"

/*
 * Fills in result.plan, and result.parent or result.why_full. A snapshot is a parent only when it is completed, carries the digest of a list of
 * blocks that is found (--parent-blocks, or a .blocks file beside the image), is encrypted like the new one, lists no other blocks
 * than that one, and 4 blocks at random have the bytes it says. One that was named but cannot be is an error; with "auto" the reason is noted.
 */
int aws_plan(struct aws_upload *s, struct error *err);

/* The .blocks file in the directory of @image whose digest is @digest; to be freed, NULL: none. */
char *parent_find_blocks(const char *image, const struct sha256 *digest);

#endif
