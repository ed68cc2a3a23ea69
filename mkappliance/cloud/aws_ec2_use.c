/* SPDX-License-Identifier: Apache-2.0 */
/* What refers to an image: instances, launch templates, launch configurations. */
#include <string.h>

#include "cloud/aws_ec2_internal.h"
#include "lib/cleanup.h"

/* The answers of one action, page by page. */
struct listing {
	const char *service, *action;
	const char *token_path; /* where an answer has the next page's token */
	void (*add)(const struct xml_node *root, struct ec2_uses *ret);
};

static int walk(struct aws *a, const char *region, const struct listing *l, const struct buf *more,
		struct ec2_uses *ret, struct error *err)
{
	const struct aws_query q = {.service = l->service, .action = l->action, .region = region};
	_cleanup_free_ char *token = NULL;

	do {
		_cleanup_buf_ struct buf form = {0};
		_cleanup_xml_ struct xml *x = NULL;
		const char *next;
		int r;

		buf_add(&form, more->ptr ? more->ptr : "", more->len);
		form_add(&form, token, "NextToken");
		r = aws_query(a, &q, &form, &x, NULL, err);
		if (r < 0)
			return r;
		l->add(xml_root(x), ret);
		next = xml_text(xml_root(x), l->token_path);
		free(token);
		token = next && *next ? xstrdup(next) : NULL;
	} while (token);
	return 0;
}

void ec2_uses_free(struct ec2_uses *u)
{
	strlist_free(&u->images);
	strlist_free(&u->by);
}

/* @kind and the text at @name say what refers to the image at @image. */
static void add(const struct xml_node *n, const char *image, const char *kind, const char *name,
		struct ec2_uses *ret)
{
	const char *id = xml_text(n, image), *by = xml_text(n, name);

	if (!id || !*id)
		return;
	strlist_add(&ret->images, id);
	strlist_addf(&ret->by, "%s %s", kind, by ? by : "?");
}

static void add_instances(const struct xml_node *root, struct ec2_uses *ret)
{
	const struct xml_node *reservations = xml_find(root, "reservationSet");

	for (const struct xml_node *r = xml_each(reservations, NULL); r; r = xml_each(reservations, r)) {
		const struct xml_node *list = xml_find(r, "instancesSet");

		for (const struct xml_node *i = xml_each(list, NULL); i; i = xml_each(list, i))
			add(i, "imageId", "instance", "instanceId", ret);
	}
}

/* Ids of templates, for the next question. */
static void add_templates(const struct xml_node *root, struct ec2_uses *ret)
{
	const struct xml_node *list = xml_find(root, "launchTemplates");

	for (const struct xml_node *i = xml_each(list, NULL); i; i = xml_each(list, i))
		add(i, "launchTemplateId", "launch template", "launchTemplateName", ret);
}

static void add_versions(const struct xml_node *root, struct ec2_uses *ret)
{
	const struct xml_node *list = xml_find(root, "launchTemplateVersionSet");

	for (const struct xml_node *i = xml_each(list, NULL); i; i = xml_each(list, i))
		add(i, "launchTemplateData.imageId", "launch template", "launchTemplateName", ret);
}

static void add_configurations(const struct xml_node *root, struct ec2_uses *ret)
{
	const struct xml_node *list =
		xml_find(root, "DescribeLaunchConfigurationsResult.LaunchConfigurations");

	for (const struct xml_node *i = xml_each(list, NULL); i; i = xml_each(list, i))
		add(i, "ImageId", "launch configuration", "LaunchConfigurationName", ret);
}

/* Images in the overrides of a mixed-instances policy (Strategy=ReplaceRootVolume needs them there). */
static void add_groups(const struct xml_node *root, struct ec2_uses *ret)
{
	const struct xml_node *list = xml_find(root, "DescribeAutoScalingGroupsResult.AutoScalingGroups");

	for (const struct xml_node *g = xml_each(list, NULL); g; g = xml_each(list, g)) {
		const struct xml_node *o = xml_find(g, "MixedInstancesPolicy.LaunchTemplate.Overrides");

		for (const struct xml_node *i = xml_each(o, NULL); i; i = xml_each(o, i)) {
			const char *id = xml_text(i, "ImageId"), *name = xml_text(g, "AutoScalingGroupName");

			if (!id || !*id)
				continue;
			strlist_add(&ret->images, id);
			strlist_addf(&ret->by, "group %s", name ? name : "?");
		}
	}
}

/* Every version, not only the default: a group may name any of them. */
static int add_all_versions(struct aws *a, const char *region, struct ec2_uses *ret, struct error *err)
{
	static const struct listing templates = {"ec2", "DescribeLaunchTemplates", "nextToken",
						 add_templates},
				    versions = {"ec2", "DescribeLaunchTemplateVersions", "nextToken",
						add_versions};
	_cleanup_uses_ struct ec2_uses found = {0};
	_cleanup_buf_ struct buf page = {0};
	int r;

	form_add_number(&page, 200, "MaxResults");
	r = walk(a, region, &templates, &page, &found, err);
	for (size_t i = 0; r == 0 && i < found.images.len; i++) {
		_cleanup_buf_ struct buf form = {0};

		form_add(&form, found.images.ptr[i], "LaunchTemplateId");
		form_add(&form, "true", "ResolveAlias");
		form_add_number(&form, 200, "MaxResults");
		r = walk(a, region, &versions, &form, ret, err);
	}
	return r;
}

int ec2_images_in_use(struct aws *a, const char *region, struct ec2_uses *ret, struct error *err)
{
	static const char *const states[] = {"pending", "running", "shutting-down", "stopping", "stopped"};
	static const struct listing instances = {"ec2", "DescribeInstances", "nextToken", add_instances},
				    configurations = {"autoscaling", "DescribeLaunchConfigurations",
						      "DescribeLaunchConfigurationsResult.NextToken",
						      add_configurations},
				    groups = {"autoscaling", "DescribeAutoScalingGroups",
					      "DescribeAutoScalingGroupsResult.NextToken", add_groups};
	_cleanup_buf_ struct buf form = {0}, records = {0};
	int r;

	form_add_number(&form, 1000, "MaxResults");
	form_add(&form, "instance-state-name", "Filter.1.Name");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		form_add(&form, states[i], "Filter.1.Value.%zu", i + 1);
	form_add_number(&records, 100, "MaxRecords");
	r = walk(a, region, &instances, &form, ret, err);
	if (r == 0)
		r = add_all_versions(a, region, ret, err);
	if (r == 0)
		r = walk(a, region, &configurations, &records, ret, err);
	return r < 0 ? r : walk(a, region, &groups, &records, ret, err);
}
