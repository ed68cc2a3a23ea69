/* SPDX-License-Identifier: Apache-2.0 */
/* What a group did, and what is done to its instances; declared in aws_asg.h. */
#include <stdio.h>
#include <string.h>

#include "cloud/aws_asg.h"
#include "cloud/aws_query.h"
#include "lib/cleanup.h"

#define ACTIVITIES_PAGE 100
#define PAGES_MAX	2 /* of one look: what is older was seen at the look before */

/* One page, newest first. @ret_older: whether there is a page behind it that may be of interest. */
static int read_page(struct aws *a, const char *group, const char *since, struct xml **ret,
		     const char **token, struct error *err)
{
	const struct aws_query q = {
		.service = "autoscaling", .action = "DescribeScalingActivities", .resource = group};
	_cleanup_buf_ struct buf form = {0};
	const struct xml_node *list, *last = NULL;
	const char *start;
	int r;

	form_add(&form, group, "AutoScalingGroupName");
	form_add_number(&form, ACTIVITIES_PAGE, "MaxRecords");
	form_add(&form, *token, "NextToken");
	r = aws_query(a, &q, &form, ret, NULL, err);
	if (r < 0)
		return r;
	list = xml_find(xml_root(*ret), "DescribeScalingActivitiesResult.Activities");
	for (const struct xml_node *n = xml_each(list, NULL); n; n = xml_each(list, n))
		last = n;
	start = xml_text(last, "StartTime");
	*token = start && strcmp(start, since) >= 0
			 ? xml_text(xml_root(*ret), "DescribeScalingActivitiesResult.NextToken")
			 : NULL;
	return 0;
}

static const struct xml_node *failed_one(const struct xml *x, const char *since)
{
	const struct xml_node *list = xml_find(xml_root(x), "DescribeScalingActivitiesResult.Activities");

	for (const struct xml_node *n = xml_each(list, NULL); n; n = xml_each(list, n)) {
		const char *status = xml_text(n, "StatusCode"), *start = xml_text(n, "StartTime");

		if (status && strcmp(status, "Failed") == 0 && start && strcmp(start, since) >= 0)
			return n;
	}
	return NULL;
}

/* Times of one form compare as text. */
int asg_last_failure(struct aws *a, const char *group, const char *since, char ret[ASG_REASON_SIZE],
		     struct error *err)
{
	_cleanup_free_ char *token = NULL;

	for (unsigned page = 0; page < PAGES_MAX; page++) {
		_cleanup_xml_ struct xml *x = NULL;
		const char *next = token, *message;
		const struct xml_node *n;
		int r = read_page(a, group, since, &x, &next, err);

		if (r < 0)
			return r;
		n = failed_one(x, since);
		message = n ? xml_text(n, "StatusMessage") : NULL;
		if (n) {
			snprintf(ret, ASG_REASON_SIZE, "%s", message ? message : "failed");
			error_one_line(ret);
			return 0;
		}
		free(token);
		token = next && *next ? xstrdup(next) : NULL;
		if (!token)
			break;
	}
	ret[0] = 0;
	return 0;
}

static int ask(struct aws *a, const struct aws_query *q, const struct buf *form, struct error *err)
{
	_cleanup_xml_ struct xml *x = NULL;

	return aws_query(a, q, form, &x, NULL, err);
}

int asg_strike(struct aws *a, const char *instance, struct error *err)
{
	const struct aws_query q = {.service = "ec2", .action = "TerminateInstances", .resource = instance};
	_cleanup_buf_ struct buf form = {0};

	form_add(&form, instance, "InstanceId.1");
	return ask(a, &q, &form, err);
}

int asg_condemn(struct aws *a, const char *instance, struct error *err)
{
	const struct aws_query q = {
		.service = "autoscaling", .action = "SetInstanceHealth", .resource = instance};
	_cleanup_buf_ struct buf form = {0};

	form_add(&form, instance, "InstanceId");
	form_add(&form, "Unhealthy", "HealthStatus");
	form_add(&form, "false", "ShouldRespectGracePeriod");
	return ask(a, &q, &form, err);
}

int asg_replace(struct aws *a, const char *instance, struct error *err)
{
	const struct aws_query q = {.service = "autoscaling",
				    .action = "TerminateInstanceInAutoScalingGroup",
				    .resource = instance};
	_cleanup_buf_ struct buf form = {0};

	form_add(&form, instance, "InstanceId");
	form_add(&form, "false", "ShouldDecrementDesiredCapacity");
	return ask(a, &q, &form, err);
}
