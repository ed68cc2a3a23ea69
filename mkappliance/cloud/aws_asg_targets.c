/* SPDX-License-Identifier: Apache-2.0 */
/* Who serves: an instance's own state, and that of its targets; declared in aws_asg.h. */
#include <stdio.h>
#include <string.h>

#include "cloud/aws_asg.h"
#include "cloud/aws_query.h"
#include "lib/cleanup.h"

#define COPY(n, path, field) xml_copy((n), (path), (field), sizeof(field))

bool asg_serves(const struct asg_instance *i)
{
	return strcmp(i->lifecycle, "InService") == 0 && strcmp(i->health, "Healthy") == 0 &&
	       (!i->target[0] || strcmp(i->target, "healthy") == 0);
}

unsigned asg_count_serving(const struct asg_group *g)
{
	unsigned n = 0;

	for (size_t i = 0; i < g->len; i++)
		n += asg_serves(&g->list[i]);
	return n;
}

char *asg_describe_lame(const struct asg_group *g)
{
	for (size_t k = 0; k < g->len; k++) {
		const struct asg_instance *i = &g->list[k];
		const char *state = i->target[0] ? i->target : i->health;

		if (!asg_serves(i))
			return xasprintf("%s is %s, %s%s%s", i->id, i->lifecycle, state,
					 i->reason[0] ? ": " : "", i->reason);
	}
	return NULL;
}

/* The higher the worse. What is not known here is between what will pass and what has failed. */
static size_t badness(const char *state)
{
	static const char *const states[] = {"",       "healthy", "initial",   "unavailable", "draining",
					     "unused", NULL,	  ASG_MISSING, "unhealthy"};
	size_t known = sizeof(states) / sizeof(states[0]);

	for (size_t i = 0; i < known; i++)
		if (states[i] && strcmp(states[i], state) == 0)
			return i;
	return 6;
}

/* Of several target groups the worst counts. */
static void take_target(struct asg_instance *i, const struct xml_node *n)
{
	const char *state = xml_text(n, "TargetHealth.State");

	if (!state || badness(state) <= badness(i->target))
		return;
	i->reason[0] = 0;
	COPY(n, "TargetHealth.State", i->target);
	COPY(n, "TargetHealth.Description", i->reason);
	if (!i->reason[0])
		COPY(n, "TargetHealth.Reason", i->reason);
}

/* One that was in service while its registration was suspended, or that somebody has taken out by hand. */
static void take_missing(struct asg_group *g, const char *arn)
{
	const char *name = strstr(arn, ":targetgroup/");

	for (size_t k = 0; k < g->len; k++) {
		struct asg_instance *i = &g->list[k];

		if (i->listed || strcmp(i->lifecycle, "InService") != 0 ||
		    badness(ASG_MISSING) <= badness(i->target))
			continue;
		snprintf(i->target, sizeof(i->target), ASG_MISSING);
		snprintf(i->reason, sizeof(i->reason), "not in target group %.*s",
			 name ? (int)strcspn(name + 13, "/") : (int)strlen(arn), name ? name + 13 : arn);
	}
}

int asg_read_targets(struct aws *a, struct asg_group *g, struct error *err)
{
	for (size_t t = 0; t < g->target_groups.len; t++) {
		const struct aws_query q = {.service = "elasticloadbalancing",
					    .action = "DescribeTargetHealth",
					    .resource = g->target_groups.ptr[t]};
		_cleanup_buf_ struct buf form = {0};
		_cleanup_xml_ struct xml *x = NULL;
		const struct xml_node *list;
		int r;

		form_add(&form, g->target_groups.ptr[t], "TargetGroupArn");
		r = aws_query(a, &q, &form, &x, NULL, err);
		if (r < 0)
			return r;
		for (size_t k = 0; k < g->len; k++)
			g->list[k].listed = false;
		list = xml_find(xml_root(x), "DescribeTargetHealthResult.TargetHealthDescriptions");
		for (const struct xml_node *n = xml_each(list, NULL); n; n = xml_each(list, n)) {
			const char *id = xml_text(n, "Target.Id");
			struct asg_instance *i = id ? asg_find(g, id) : NULL;

			if (!i)
				continue;
			i->listed = true;
			take_target(i, n);
		}
		take_missing(g, g->target_groups.ptr[t]);
	}
	return 0;
}
