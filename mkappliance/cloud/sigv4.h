/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4 in the Authorization header ("Create a signed AWS API request", AWS IAM User Guide). Our own, because
 * libcurl's CURLOPT_AWS_SIGV4 before 8.10.0 sorts x-amz-checksum-algorithm before x-amz-checksum and so cannot sign PutSnapshotBlock.
 */
#ifndef MKAPPLIANCE_CLOUD_SIGV4_H
#define MKAPPLIANCE_CLOUD_SIGV4_H

#include <stddef.h>
#include <time.h>

#include "lib/hash.h"
#include "lib/mem.h"

/* What stands for the payload's hash when it is not signed (over TLS only). */
#define SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"

struct sigv4_request {
	const char *method;
	const char *
		path; /* as it is sent; encoded once more for the signature, as every service but S3 wants it */
	const char *query; /* pairs as they are sent, encoded, without '?'; in any order; NULL: none */
	/* "Name: value", ends in NULL; every one of them is signed: Host and X-Amz-Date must be among them. */
	const char *const *headers;
	const char *payload_hash; /* hexadecimal SHA-256 of the body, or SIGV4_UNSIGNED */
};

struct sigv4_scope {
	const char *access_key;
	const char *secret_key;
	const char *region;
	const char *service; /* "ebs", "ec2", ... */
	time_t now;	     /* what X-Amz-Date says */
};

#define SIGV4_DATE_SIZE 17

/* "20150830T123600Z", what X-Amz-Date holds; @ret has room for SIGV4_DATE_SIZE bytes. */
void sigv4_date(time_t now, char *ret);

/* The canonical request, which the tests compare with AWS's; to be freed. */
char *sigv4_canonical(const struct sigv4_request *request);

/* The value of the Authorization header; to be freed. */
char *sigv4_authorization(const struct sigv4_request *request, const struct sigv4_scope *scope);

#endif
