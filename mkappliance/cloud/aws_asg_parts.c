/* SPDX-License-Identifier: Apache-2.0 */
/* What a group is made of, as it is; declared in aws_asg_make.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cloud/aws_asg_make.h"
#include "cloud/aws_query.h"
#include "lib/cleanup.h"

#define COPY(n, path, field) xml_copy((n), (path), (field), sizeof(field))

static void add_texts(const struct xml_node *list, struct strlist *ret)
{
	for (const struct xml_node *i = xml_each(list, NULL); i; i = xml_each(list, i))
		if (xml_text(i, "") && *xml_text(i, ""))
			strlist_add(ret, xml_text(i, ""));
}

void ec2_type_free(struct ec2_type *t)
{
	strlist_free(&t->architectures);
	strlist_free(&t->boot_modes);
	*t = (struct ec2_type){0};
}

int ec2_describe_type(struct aws *a, const char *name, struct ec2_type *ret, struct error *err)
{
	const struct aws_query q = {.service = "ec2", .action = "DescribeInstanceTypes", .resource = name};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;
	const struct xml_node *n;
	const char *tpm;
	int r;

	form_add(&form, name, "InstanceType.1");
	r = aws_query(a, &q, &form, &x, NULL, err);
	if (r < 0)
		return r;
	n = xml_each(xml_find(xml_root(x), "instanceTypeSet"), NULL);
	if (!n)
		return error_set(err, -EINVAL, "there is no instance type '%s' in %s", name, aws_region(a));
	*ret = (struct ec2_type){0};
	COPY(n, "instanceType", ret->name);
	add_texts(xml_find(n, "processorInfo.supportedArchitectures"), &ret->architectures);
	add_texts(xml_find(n, "supportedBootModes"), &ret->boot_modes);
	tpm = xml_text(n, "nitroTpmSupport");
	ret->tpm = tpm && strcmp(tpm, "supported") == 0;
	return 0;
}

int ec2_subnets_vpc(struct aws *a, const struct strlist *ids, char ret_vpc[EC2_ID_SIZE], struct error *err)
{
	const struct aws_query q = {.service = "ec2", .action = "DescribeSubnets", .resource = ids->ptr[0]};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;
	char first[EC2_ID_SIZE] = "", vpc[EC2_ID_SIZE] = "";
	const struct xml_node *list;
	int r;

	for (size_t i = 0; i < ids->len; i++)
		form_add(&form, ids->ptr[i], "SubnetId.%zu", i + 1);
	r = aws_query(a, &q, &form, &x, NULL, err);
	if (r < 0)
		return r;
	list = xml_find(xml_root(x), "subnetSet");
	for (const struct xml_node *n = xml_each(list, NULL); n; n = xml_each(list, n)) {
		char id[EC2_ID_SIZE], of[EC2_ID_SIZE];

		COPY(n, "subnetId", id);
		COPY(n, "vpcId", of);
		if (vpc[0] && strcmp(vpc, of) != 0)
			return error_set(err, -EINVAL,
					 "--subnets: %s is in %s, %s in %s; a group has one network", first,
					 vpc, id, of);
		memcpy(first, id, sizeof(first));
		memcpy(vpc, of, sizeof(vpc));
	}
	memcpy(ret_vpc, vpc, EC2_ID_SIZE);
	return 0;
}

void elb_target_group_free(struct elb_target_group *t)
{
	free(t->arn);
	free(t->name);
	*t = (struct elb_target_group){0};
}

int elb_find_target_group(struct aws *a, const char *which, struct elb_target_group *ret, struct error *err)
{
	const struct aws_query q = {
		.service = "elasticloadbalancing", .action = "DescribeTargetGroups", .resource = which};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;
	const struct xml_node *n;
	const char *checked;
	int r;

	form_add(&form, which, "%s.member.1", strncmp(which, "arn:", 4) == 0 ? "TargetGroupArns" : "Names");
	r = aws_query(a, &q, &form, &x, NULL, err);
	if (r < 0)
		return r;
	n = xml_each(xml_find(xml_root(x), "DescribeTargetGroupsResult.TargetGroups"), NULL);
	if (!n || !xml_text(n, "TargetGroupArn"))
		return error_set(err, -ENOENT, "there is no target group '%s' in %s", which, aws_region(a));
	*ret = (struct elb_target_group){.arn = xstrdup(xml_text(n, "TargetGroupArn"))};
	ret->name = xstrdup(xml_text(n, "TargetGroupName") ? xml_text(n, "TargetGroupName") : "");
	COPY(n, "VpcId", ret->vpc);
	COPY(n, "TargetType", ret->type);
	checked = xml_text(n, "HealthCheckEnabled");
	ret->used = xml_each(xml_find(n, "LoadBalancerArns"), NULL);
	ret->checked = !checked || strcmp(checked, "true") == 0;
	return 0;
}

static bool has(const struct asg_group *g, const char *id)
{
	for (size_t i = 0; id && i < g->len; i++)
		if (strcmp(g->list[i].id, id) == 0)
			return true;
	return false;
}

int asg_count_targets(struct aws *a, const struct strlist *target_groups, const struct asg_group *g,
		      size_t *ret, struct error *err)
{
	size_t count = 0;

	for (size_t t = 0; t < target_groups->len; t++) {
		const struct aws_query q = {.service = "elasticloadbalancing",
					    .action = "DescribeTargetHealth",
					    .resource = target_groups->ptr[t]};
		_cleanup_buf_ struct buf form = {0};
		_cleanup_xml_ struct xml *x = NULL;
		const struct xml_node *list;
		int r;

		form_add(&form, target_groups->ptr[t], "TargetGroupArn");
		r = aws_query(a, &q, &form, &x, NULL, err);
		if (r < 0)
			return r;
		list = xml_find(xml_root(x), "DescribeTargetHealthResult.TargetHealthDescriptions");
		for (const struct xml_node *n = xml_each(list, NULL); n; n = xml_each(list, n))
			count += has(g, xml_text(n, "Target.Id"));
	}
	*ret = count;
	return 0;
}
