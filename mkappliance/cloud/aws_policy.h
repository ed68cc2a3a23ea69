/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IAM policy that upload, gc, deploy and drill need and nothing more ("IAM JSON policy elements reference", AWS IAM User Guide; "Actions, resources, and condition
 * keys", Service Authorization Reference). What is made is tagged mkappliance=1 as it is made, and only what has the tag may be touched.
 */
#ifndef MKAPPLIANCE_CLOUD_AWS_POLICY_H
#define MKAPPLIANCE_CLOUD_AWS_POLICY_H

#include <stdbool.h>

#include "lib/error.h"
#include "lib/json.h"

struct aws_policy {
	const struct strlist *regions;	/* empty: any */
	const struct strlist *kms_keys; /* ARNs of the keys to encrypt with */
	const struct strlist
		*parameters;	      /* SSM parameters that will hold image ids; '*' stands for anything */
	const struct strlist *groups; /* Auto Scaling groups that @deploy and @create are for; empty: any */
	const char *account;	      /* 12 digits; NULL: any, which is the caller's own anyway */
	bool upload;		      /* else only what is asked for below */
	bool copy;		      /* to other regions */
	bool share, deprecate, protect;
	bool gc;
	bool deploy; /* to groups that are there; status and rollback too */
	bool drill;  /* where the group's tag allows it */
	bool create; /* of groups, and second ones beside them (blue-green) */
};

/* Usage errors for what can be no region, key, parameter or account. To be freed with js_free(). */
int aws_policy_json(const struct aws_policy *p, struct json **ret, struct error *err);

#endif
