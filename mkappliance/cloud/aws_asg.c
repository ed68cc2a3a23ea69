/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/aws_asg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/aws_query.h"
#include "lib/cleanup.h"

#define GROUPS_MAX     100
#define INSTANCES_MAX  10000
#define INSTANCES_PAGE 100

#define COPY(n, path, field) xml_copy((n), (path), (field), sizeof(field))

static unsigned number(const struct xml_node *n, const char *path)
{
	const char *value = xml_text(n, path);

	return value ? (unsigned)strtoul(value, NULL, 10) : 0;
}

static bool is_true(const struct xml_node *n, const char *path)
{
	const char *value = xml_text(n, path);

	return value && strcmp(value, "true") == 0;
}

bool asg_allows_drills(const struct asg_group *g)
{
	const char *tag = aws_tags_get(&g->tags, ASG_TAG_DRILL);

	return tag && strcmp(tag, ASG_DRILL_ALLOWED) == 0;
}

void asg_group_free(struct asg_group *g)
{
	free(g->name);
	strlist_free(&g->target_groups);
	strlist_free(&g->suspended);
	strlist_free(&g->policies);
	free(g->subnets);
	strlist_free(&g->tags.keys);
	strlist_free(&g->tags.values);
	free(g->list);
	*g = (struct asg_group){0};
}

static void add_texts(const struct xml_node *list, const char *path, struct strlist *ret)
{
	for (const struct xml_node *i = xml_each(list, NULL); i; i = xml_each(list, i)) {
		const char *value = path ? xml_text(i, path) : xml_text(i, "");

		if (value && *value)
			strlist_add(ret, value);
	}
}

static void read_instance(const struct xml_node *n, struct asg_instance *ret)
{
	COPY(n, "InstanceId", ret->id);
	COPY(n, "InstanceType", ret->type);
	COPY(n, "AvailabilityZone", ret->zone);
	COPY(n, "LifecycleState", ret->lifecycle);
	COPY(n, "HealthStatus", ret->health);
	COPY(n, "LaunchTemplate.LaunchTemplateId", ret->template_id);
	COPY(n, "LaunchTemplate.Version", ret->version);
	ret->protected = is_true(n, "ProtectedFromScaleIn");
}

/* What is known by its mere presence, and is not copied. */
static const char *special_of(const struct xml_node *n)
{
	const struct xml_node *balancers = xml_find(n, "LoadBalancerNames");
	const char *placement = xml_text(n, "PlacementGroup");

	return xml_find(n, "WarmPoolConfiguration")	  ? "a warm pool"
	       : xml_each(balancers, NULL)		  ? "a classic load balancer"
	       : placement && *placement		  ? "a placement group"
	       : xml_find(n, "InstanceMaintenancePolicy") ? "an instance maintenance policy"
	       : is_true(n, "CapacityRebalance")	  ? "capacity rebalancing"
							  : NULL;
}

/* What a second group beside it has to have too. */
static void read_more(const struct xml_node *n, struct asg_group *g)
{
	const char *subnets = xml_text(n, "VPCZoneIdentifier"),
		   *warmup = xml_text(n, "DefaultInstanceWarmup");

	g->subnets = xstrdup(subnets ? subnets : "");
	g->grace = number(n, "HealthCheckGracePeriod");
	g->warmup = number(n, "DefaultInstanceWarmup");
	g->warms_up = warmup && *warmup;
	g->lifetime = number(n, "MaxInstanceLifetime");
	g->protects_new = is_true(n, "NewInstancesProtectedFromScaleIn");
	g->special = special_of(n);
	add_texts(xml_find(n, "TerminationPolicies"), NULL, &g->policies);
}

static void read_group(const struct xml_node *n, struct asg_group *g)
{
	const struct xml_node *list = xml_find(n, "Instances"), *tags = xml_find(n, "Tags"), *template;

	g->name = xstrdup(xml_text(n, "AutoScalingGroupName") ? xml_text(n, "AutoScalingGroupName") : "");
	g->min = number(n, "MinSize");
	g->max = number(n, "MaxSize");
	g->desired = number(n, "DesiredCapacity");
	g->mixed = xml_find(n, "MixedInstancesPolicy");
	template = xml_find(n, g->mixed ? "MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification"
					: "LaunchTemplate");
	COPY(template, "LaunchTemplateId", g->template_id);
	COPY(template, "Version", g->version);
	COPY(n, "HealthCheckType", g->health_type);
	g->deleting = xml_text(n, "Status") && *xml_text(n, "Status");
	add_texts(xml_find(n, "TargetGroupARNs"), NULL, &g->target_groups);
	add_texts(xml_find(n, "SuspendedProcesses"), "ProcessName", &g->suspended);
	read_more(n, g);
	for (const struct xml_node *i = xml_each(tags, NULL); i && g->tags.keys.len < ASG_TAGS_MAX;
	     i = xml_each(tags, i)) {
		const char *propagates = xml_text(i, "PropagateAtLaunch");

		g->propagates[g->tags.keys.len] = propagates && strcmp(propagates, "true") == 0;
		strlist_add(&g->tags.keys, xml_text(i, "Key") ? xml_text(i, "Key") : "");
		strlist_add(&g->tags.values, xml_text(i, "Value") ? xml_text(i, "Value") : "");
	}
	for (const struct xml_node *i = xml_each(list, NULL); i && g->len < INSTANCES_MAX;
	     i = xml_each(list, i)) {
		array_grow(g->list, g->len, g->cap);
		g->list[g->len] = (struct asg_instance){0};
		read_instance(i, &g->list[g->len++]);
	}
}

int asg_read(struct aws *a, const char *name, struct asg_group *ret, struct error *err)
{
	const struct aws_query q = {
		.service = "autoscaling", .action = "DescribeAutoScalingGroups", .resource = name};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;
	const struct xml_node *found;
	int r;

	form_add(&form, name, "AutoScalingGroupNames.member.1");
	r = aws_query(a, &q, &form, &x, NULL, err);
	if (r < 0)
		return r;
	found = xml_each(xml_find(xml_root(x), "DescribeAutoScalingGroupsResult.AutoScalingGroups"), NULL);
	if (!found)
		return error_set(err, -ENOENT, "there is no Auto Scaling group '%s' in %s", name,
				 aws_region(a));
	*ret = (struct asg_group){0};
	read_group(found, ret);
	return 0;
}

void asg_groups_free(struct asg_groups *g)
{
	for (size_t i = 0; i < g->len; i++)
		asg_group_free(&g->list[i]);
	free(g->list);
	*g = (struct asg_groups){0};
}

int asg_read_tagged(struct aws *a, const char *key, const char *value, struct asg_groups *ret,
		    struct error *err)
{
	const struct aws_query q = {
		.service = "autoscaling", .action = "DescribeAutoScalingGroups", .resource = value};
	_cleanup_free_ char *token = NULL, *filter = xasprintf("tag:%s", key);

	do {
		_cleanup_buf_ struct buf form = {0};
		_cleanup_xml_ struct xml *x = NULL;
		const struct xml_node *result, *list;
		const char *next;
		int r;

		form_add(&form, filter, "Filters.member.1.Name");
		form_add(&form, value, "Filters.member.1.Values.member.1");
		form_add(&form, token, "NextToken");
		r = aws_query(a, &q, &form, &x, NULL, err);
		if (r < 0)
			return r;
		result = xml_find(xml_root(x), "DescribeAutoScalingGroupsResult");
		list = xml_find(result, "AutoScalingGroups");
		for (const struct xml_node *n = xml_each(list, NULL); n; n = xml_each(list, n)) {
			array_grow(ret->list, ret->len, ret->cap);
			ret->list[ret->len] = (struct asg_group){0};
			read_group(n, &ret->list[ret->len++]);
		}
		next = xml_text(result, "NextToken");
		free(token);
		token = next && *next ? xstrdup(next) : NULL;
	} while (token && ret->len < GROUPS_MAX);
	return 0;
}

struct asg_instance *asg_find(const struct asg_group *g, const char *id)
{
	for (size_t i = 0; i < g->len; i++)
		if (strcmp(g->list[i].id, id) == 0)
			return &g->list[i];
	return NULL;
}

void asg_carry(const struct asg_group *before, struct asg_group *g)
{
	for (size_t i = 0; i < g->len; i++) {
		const struct asg_instance *was = asg_find(before, g->list[i].id);

		if (!was)
			continue;
		memcpy(g->list[i].image, was->image, sizeof(was->image));
		memcpy(g->list[i].launched, was->launched, sizeof(was->launched));
	}
}

static void take_instances(struct asg_group *g, const struct xml_node *list)
{
	for (const struct xml_node *n = xml_each(list, NULL); n; n = xml_each(list, n)) {
		const char *id = xml_text(n, "instanceId");
		struct asg_instance *i = id ? asg_find(g, id) : NULL;

		if (!i)
			continue;
		COPY(n, "imageId", i->image);
		COPY(n, "launchTime", i->launched);
	}
}

/* One page of the answer; @token goes to the next one. */
static int read_page(struct aws *a, const struct buf *filter, struct asg_group *g, char **token,
		     struct error *err)
{
	const struct aws_query q = {.service = "ec2", .action = "DescribeInstances"};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;
	const struct xml_node *reservations;
	const char *next;
	int r;

	buf_add(&form, filter->ptr, filter->len);
	form_add(&form, *token, "NextToken");
	r = aws_query(a, &q, &form, &x, NULL, err);
	if (r < 0)
		return r;
	reservations = xml_find(xml_root(x), "reservationSet");
	for (const struct xml_node *v = xml_each(reservations, NULL); v; v = xml_each(reservations, v))
		take_instances(g, xml_find(v, "instancesSet"));
	next = xml_text(xml_root(x), "nextToken");
	free(*token);
	*token = next && *next ? xstrdup(next) : NULL;
	return 0;
}

/*
 * By a filter, so that one that has just gone is no error, and in pages, so that it counts for EC2's larger bucket (EC2 Developer Guide,
 * "Request throttling for the Amazon EC2 API": filtered or paginated describe actions).
 */
static int read_some(struct aws *a, struct asg_group *g, size_t *from, struct error *err)
{
	_cleanup_buf_ struct buf filter = {0};
	_cleanup_free_ char *token = NULL;
	size_t count = 0;
	int r;

	form_add(&filter, "instance-id", "Filter.1.Name");
	for (; *from < g->len && count < INSTANCES_PAGE; ++*from)
		if (!g->list[*from].image[0])
			form_add(&filter, g->list[*from].id, "Filter.1.Value.%zu", ++count);
	if (!count)
		return 0;
	form_add_number(&filter, 1000, "MaxResults");
	do {
		r = read_page(a, &filter, g, &token, err);
	} while (r == 0 && token);
	return r;
}

int asg_read_instances(struct aws *a, struct asg_group *g, struct error *err)
{
	int r = 0;

	for (size_t from = 0; from < g->len && r == 0;)
		r = read_some(a, g, &from, err);
	return r;
}

int asg_set_tags(struct aws *a, const char *group, const struct aws_tag *tags, size_t count,
		 struct error *err)
{
	const struct aws_query q = {
		.service = "autoscaling", .action = "CreateOrUpdateTags", .resource = group};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;

	for (size_t i = 0; i < count; i++) {
		form_add(&form, group, "Tags.member.%zu.ResourceId", i + 1);
		form_add(&form, "auto-scaling-group", "Tags.member.%zu.ResourceType", i + 1);
		form_add(&form, tags[i].key, "Tags.member.%zu.Key", i + 1);
		form_add(&form, tags[i].value, "Tags.member.%zu.Value", i + 1);
		form_add(&form, "false", "Tags.member.%zu.PropagateAtLaunch", i + 1);
	}
	return aws_query(a, &q, &form, &x, NULL, err);
}
