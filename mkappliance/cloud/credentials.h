/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who we are: credentials as the AWS CLI finds them, in its order (botocore, create_credential_resolver): environment, role of a profile,
 * web identity, SSO cache, credentials file, credential_process, config file, container, instance (IMDSv2, never v1).
 * Secrets are wiped when they go, and never in a message.
 */
#ifndef MKAPPLIANCE_CLOUD_CREDENTIALS_H
#define MKAPPLIANCE_CLOUD_CREDENTIALS_H

#include <stdbool.h>
#include <time.h>

#include "cloud/config.h"
#include "cloud/http.h"
#include "lib/error.h"

struct credentials {
	char *access_key;
	char *secret_key;
	char *session_token; /* NULL: long-lived keys */
	time_t expires;	     /* 0: they do not */
	char *source;	     /* for messages: "environment", "profile 'a'", ... */
};

/*
 * The first provider that has any; one that is configured but fails is an error rather than passed over. -ENOENT when there are none
 * (the message lists what was looked at).
 */
int credentials_find(const struct config *config, struct http *http, struct credentials *ret,
		     struct error *err);

/*
 * The region that the instance says it is in: 1 and @ret, to be freed; 0 when nobody answers.
 */
int credentials_instance_region(const struct config *config, struct http *http, char **ret,
				struct error *err);

void credentials_free(struct credentials *c);
#define _cleanup_credentials_ __attribute__((cleanup(credentials_free)))

/* Keeps the process out of core dumps and of other processes' ptrace (prctl(PR_SET_DUMPABLE)); before any secret is read. */
void credentials_guard(void);

/* Overwrites and frees; NULL is fine. */
void secret_free(char *secret);

#endif
