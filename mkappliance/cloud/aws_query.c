/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/aws_query.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cloud/sigv4.h"
#include "lib/cleanup.h"
#include "lib/percent.h"

#define ANSWER_MAX ((size_t)32 << 20) /* DescribeImages of an account without a filter */

void form_add(struct buf *form, const char *value, const char *name, ...)
{
	char text[256];
	va_list ap;

	if (!value)
		return;
	va_start(ap, name);
	(void)vsnprintf(text, sizeof(text), name, ap);
	va_end(ap);
	buf_printf(form, "&%s=", text);
	percent_encode(form, value, "");
}

void form_add_number(struct buf *form, uint64_t value, const char *name)
{
	char text[24];

	snprintf(text, sizeof(text), "%ju", (uintmax_t)value);
	form_add(form, text, "%s", name);
}

static const char *version_of(const char *service)
{
	static const char *const table[][2] = {{"ec2", "2016-11-15"},
					       {"sts", "2011-06-15"},
					       {"autoscaling", "2011-01-01"},
					       {"elasticloadbalancing", "2015-12-01"}};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i][0], service) == 0)
			return table[i][1];
	abort();
}

int aws_query(struct aws *a, const struct aws_query *q, const struct buf *form, struct xml **ret,
	      struct aws_failure *ret_failure, struct error *err)
{
	static const char *const headers[] = {
		"Content-Type: application/x-www-form-urlencoded; charset=utf-8", NULL};
	_cleanup_reply_ struct http_reply reply = {0};
	_cleanup_buf_ struct buf body = {0};
	_cleanup_free_ char *name = xasprintf("%s:%s", q->service, q->action);
	struct aws_call call = {.service = q->service,
				.action = q->action,
				.resource = q->resource,
				.region = q->region,
				.method = "POST",
				.path = "/",
				.headers = headers,
				.anonymous = q->anonymous,
				.response_max = ANSWER_MAX,
				.lag_until_ns = q->lag_until_ns};
	int r;

	buf_printf(&body, "Action=%s&Version=%s", q->action, version_of(q->service));
	if (form)
		buf_add(&body, form->ptr ? form->ptr : "", form->len);
	call.body = body.ptr;
	call.body_len = body.len;
	r = aws_perform(a, &call, &reply, ret_failure, err);
	if (r < 0)
		return r;
	return xml_parse(reply.body.ptr, reply.body.len, name, ret, err);
}
