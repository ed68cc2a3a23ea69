/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of aws_ebs.c's parsers of untrusted bytes. */
#ifndef MKAPPLIANCE_CLOUD_AWS_EBS_INTERNAL_H
#define MKAPPLIANCE_CLOUD_AWS_EBS_INTERNAL_H

#include "cloud/aws_ebs.h"

/* The answer of StartSnapshot. */
int ebs_start_read(const struct http_reply *reply, struct ebs_snapshot *ret, struct error *err);

/*
 * Adds a page's blocks of ListSnapshotBlocks or (@changed) ListChangedBlocks. @ret_next: the token of the next page, NULL at the end, to be freed.
 */
int ebs_page_read(const struct http_reply *reply, bool changed, struct ebs_blocks *ret, char **ret_next,
		  struct error *err);

#endif
