/* SPDX-License-Identifier: Apache-2.0 */
/* Security Token Service, version 2011-06-15 (AWS STS API Reference). */
#ifndef MKAPPLIANCE_CLOUD_AWS_STS_H
#define MKAPPLIANCE_CLOUD_AWS_STS_H

#include "cloud/aws.h"

struct sts_identity {
	char account[32];
	char arn[256];
	char user_id[128];
};

/* Who the credentials belong to; needs no permission. */
int sts_caller_identity(struct aws *a, struct sts_identity *ret, struct error *err);

struct sts_role {
	const char *arn;
	const char *session_name;
	const char *external_id; /* NULL: none */
	const char *token_file;	 /* of a web identity: then the call is anonymous; NULL: by our credentials */
	unsigned duration_s;	 /* 0: 3600 */
};

/* AssumeRole, or AssumeRoleWithWebIdentity when there is a token_file (which is read each time). @ret->source stays NULL. */
int sts_assume_role(struct aws *a, const struct sts_role *role, struct credentials *ret, struct error *err);

/* "2015-08-30T12:36:00Z", with or without a fraction and an offset of "+00:00"; false when it is none. ISO 8601. */
bool aws_time_parse(const char *text, time_t *ret);

#endif
