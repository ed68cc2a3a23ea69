/* SPDX-License-Identifier: Apache-2.0 */
/* Between aws.c and aws_judge.c. */
#ifndef MKAPPLIANCE_CLOUD_AWS_INTERNAL_H
#define MKAPPLIANCE_CLOUD_AWS_INTERNAL_H

#include "cloud/aws.h"

struct aws {
	const struct config *config;
	struct http *http;
	struct config *own_config; /* NULL: borrowed */
	struct http *own_http;
	char *region;
	struct credentials credentials;
	bool fixed;	      /* credentials were given and cannot be renewed */
	unsigned generation;  /* counts renewals */
	bool reached;	      /* somebody answered */
	int64_t clock_offset; /* seconds that AWS is ahead of us */
	struct retry_policy policy;
	struct retry_stats stats;
};

/* Finds credentials anew; a failure leaves the old ones. */
int aws_renew(struct aws *a, struct error *err);

/* Fills code, reason, message and request id from an answer's headers and body. Parser of untrusted bytes. */
void aws_failure_parse(const struct http_reply *reply, struct aws_failure *ret);

#endif
