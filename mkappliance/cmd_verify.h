/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of 'mkappliance verify' share. */
#ifndef MKAPPLIANCE_CMD_VERIFY_H
#define MKAPPLIANCE_CMD_VERIFY_H

#include "check/verify.h"
#include "cmd.h"

struct verify_arguments {
	const char *image; /* file, or PROVIDER:ID */
	const char *manifest;
	const char *key;	 /* that must have signed the provenance */
	const char *certificate; /* whose key must have signed the root hash */
	struct buf der;		 /* of it */
	unsigned threads;
	bool full;
	const char *output;
	const char *region, *profile, *endpoint_url, *connect;
	struct common_options common;
};

bool verify_is_remote(const char *image);

/* cmd_verify_remote.c: fills in the report as verify_image() does. */
int verify_remote(const struct verify_arguments *a, const struct manifest *m, struct verify_report *report,
		  struct error *err);

#endif
