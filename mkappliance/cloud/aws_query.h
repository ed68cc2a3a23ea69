/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS's Query protocol: a form with Action and Version is posted, XML comes back. EC2 numbers its lists "Name.1", the others "Name.member.1"
 * (botocore, data/<service>/service-2.json: protocol "ec2" and "query").
 */
#ifndef MKAPPLIANCE_CLOUD_AWS_QUERY_H
#define MKAPPLIANCE_CLOUD_AWS_QUERY_H

#include "cloud/aws.h"
#include "cloud/aws_xml.h"

/* Appends "name=value" to the form; @value NULL: nothing. The name is made from the format. */
void form_add(struct buf *form, const char *value, const char *name, ...)
	__attribute__((format(printf, 3, 4)));
void form_add_number(struct buf *form, uint64_t value, const char *name);

struct aws_query {
	const char *service; /* "ec2", "sts", "autoscaling" */
	const char *action;
	const char *resource; /* for messages; may be NULL */
	const char *region;   /* NULL: the session's */
	bool anonymous;
	uint64_t lag_until_ns; /* as in aws_call */
};

/* Posts @form (form_add() without Action and Version; NULL: nothing more). @ret_failure may be NULL. */
int aws_query(struct aws *a, const struct aws_query *q, const struct buf *form, struct xml **ret,
	      struct aws_failure *ret_failure, struct error *err);

#endif
