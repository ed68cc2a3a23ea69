/* SPDX-License-Identifier: Apache-2.0 */
/* Launch templates and groups are made and removed; declared in aws_asg_make.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cloud/aws_asg_make.h"
#include "cloud/aws_query.h"
#include "cloud/aws_upload.h"
#include "lib/cleanup.h"

/* ---- launch templates ---- */

void asg_template_form(const struct asg_template_make *t, struct buf *form)
{
	static const char data[] = "LaunchTemplateData", tags[] = "LaunchTemplateData.TagSpecification";

	form_add(form, t->name, "LaunchTemplateName");
	form_add(form, t->token, "ClientToken");
	form_add(form, t->image, "%s.ImageId", data);
	form_add(form, t->type, "%s.InstanceType", data);
	for (size_t i = 0; i < t->security_groups->len; i++)
		form_add(form, t->security_groups->ptr[i], "%s.SecurityGroupId.%zu", data, i + 1);
	form_add(form, t->profile, "%s.IamInstanceProfile.%s", data,
		 t->profile && strncmp(t->profile, "arn:", 4) == 0 ? "Arn" : "Name");
	form_add(form, "required", "%s.MetadataOptions.HttpTokens", data);
	form_add(form, "1", "%s.MetadataOptions.HttpPutResponseHopLimit", data);
	form_add(form, "enabled", "%s.MetadataOptions.HttpEndpoint", data);
	for (unsigned i = 1; i <= 2; i++) {
		form_add(form, i == 1 ? "instance" : "volume", "%s.%u.ResourceType", tags, i);
		form_add(form, TAG_OURS, "%s.%u.Tag.1.Key", tags, i);
		form_add(form, "1", "%s.%u.Tag.1.Value", tags, i);
	}
	form_add(form, t->tag_count ? "launch-template" : NULL, "TagSpecification.1.ResourceType");
	for (size_t i = 0; i < t->tag_count; i++) {
		form_add(form, t->tags[i].key, "TagSpecification.1.Tag.%zu.Key", i + 1);
		form_add(form, t->tags[i].value, "TagSpecification.1.Tag.%zu.Value", i + 1);
	}
}

int asg_template_make(struct aws *a, const struct asg_template_make *t, char ret_id[EC2_ID_SIZE],
		      struct error *err)
{
	const struct aws_query q = {.service = "ec2", .action = "CreateLaunchTemplate", .resource = t->name};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;
	int r;

	asg_template_form(t, &form);
	r = aws_query(a, &q, &form, &x, NULL, err);
	if (r < 0)
		return r;
	xml_copy(xml_root(x), "launchTemplate.launchTemplateId", ret_id, EC2_ID_SIZE);
	return ret_id[0] ? 0 : error_set(err, -EIO, "ec2:CreateLaunchTemplate: no id in the answer");
}

int asg_template_find(struct aws *a, const char *name, char ret_id[EC2_ID_SIZE], struct aws_tags *ret_tags,
		      struct error *err)
{
	const struct aws_query q = {.service = "ec2", .action = "DescribeLaunchTemplates", .resource = name};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;
	const struct xml_node *n, *list;
	int r;

	form_add(&form, "launch-template-name", "Filter.1.Name");
	form_add(&form, name, "Filter.1.Value.1");
	r = aws_query(a, &q, &form, &x, NULL, err);
	if (r < 0)
		return r;
	ret_id[0] = 0;
	n = xml_each(xml_find(xml_root(x), "launchTemplates"), NULL);
	if (!n)
		return 0;
	xml_copy(n, "launchTemplateId", ret_id, EC2_ID_SIZE);
	list = xml_find(n, "tagSet");
	for (const struct xml_node *i = xml_each(list, NULL); i; i = xml_each(list, i)) {
		strlist_add(&ret_tags->keys, xml_text(i, "key") ? xml_text(i, "key") : "");
		strlist_add(&ret_tags->values, xml_text(i, "value") ? xml_text(i, "value") : "");
	}
	return 0;
}

int asg_template_remove(struct aws *a, const char *id, struct error *err)
{
	const struct aws_query q = {.service = "ec2", .action = "DeleteLaunchTemplate", .resource = id};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;
	int r;

	form_add(&form, id, "LaunchTemplateId");
	r = aws_query(a, &q, &form, &x, NULL, err);
	return r == -ENOENT ? 0 : r;
}

/* ---- groups ---- */

void asg_make_form(const struct asg_make *g, struct buf *form)
{
	form_add(form, g->name, "AutoScalingGroupName");
	form_add(form, g->template_id, "LaunchTemplate.LaunchTemplateId");
	form_add(form, g->version, "LaunchTemplate.Version");
	form_add_number(form, g->min, "MinSize");
	form_add_number(form, g->max, "MaxSize");
	form_add_number(form, g->desired, "DesiredCapacity");
	form_add(form, g->subnets, "VPCZoneIdentifier");
	for (size_t i = 0; i < g->target_groups->len; i++)
		form_add(form, g->target_groups->ptr[i], "TargetGroupARNs.member.%zu", i + 1);
	form_add(form, "ELB", "HealthCheckType");
	form_add_number(form, g->grace, "HealthCheckGracePeriod");
	if (g->warms_up)
		form_add_number(form, g->warmup, "DefaultInstanceWarmup");
	if (g->lifetime)
		form_add_number(form, g->lifetime, "MaxInstanceLifetime");
	for (size_t i = 0; g->policies && i < g->policies->len; i++)
		form_add(form, g->policies->ptr[i], "TerminationPolicies.member.%zu", i + 1);
	for (size_t i = 0; i < g->tag_count; i++) {
		form_add(form, g->tags[i].key, "Tags.member.%zu.Key", i + 1);
		form_add(form, g->tags[i].value, "Tags.member.%zu.Value", i + 1);
		form_add(form, g->tags[i].propagate ? "true" : "false", "Tags.member.%zu.PropagateAtLaunch",
			 i + 1);
	}
}

int asg_make(struct aws *a, const struct asg_make *g, struct error *err)
{
	const struct aws_query q = {
		.service = "autoscaling", .action = "CreateAutoScalingGroup", .resource = g->name};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;

	asg_make_form(g, &form);
	return aws_query(a, &q, &form, &x, NULL, err);
}

int asg_remove(struct aws *a, const char *name, struct error *err)
{
	const struct aws_query q = {
		.service = "autoscaling", .action = "DeleteAutoScalingGroup", .resource = name};
	struct aws_failure failure = {0};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;
	int r;

	form_add(&form, name, "AutoScalingGroupName");
	form_add(&form, "true", "ForceDelete");
	r = aws_query(a, &q, &form, &x, &failure, err);
	/* Auto Scaling has no code of its own for what is not there. */
	return r < 0 && strstr(failure.message, "not found") ? 0 : r;
}

int asg_attach(struct aws *a, const char *name, const struct strlist *target_groups, bool attach,
	       struct error *err)
{
	const struct aws_query q = {.service = "autoscaling",
				    .action = attach ? "AttachLoadBalancerTargetGroups"
						     : "DetachLoadBalancerTargetGroups",
				    .resource = name};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;

	form_add(&form, name, "AutoScalingGroupName");
	for (size_t i = 0; i < target_groups->len; i++)
		form_add(&form, target_groups->ptr[i], "TargetGroupARNs.member.%zu", i + 1);
	return aws_query(a, &q, &form, &x, NULL, err);
}

int asg_read_hanging(struct aws *a, const char *name, char ret[ASG_REASON_SIZE], struct error *err)
{
	static const struct {
		const char *action, *list, *member, *what;
	} kinds[] = {
		{"DescribePolicies", "ScalingPolicies", "PolicyName", "the scaling policy"},
		{"DescribeLifecycleHooks", "LifecycleHooks", "LifecycleHookName", "the lifecycle hook"},
		{"DescribeScheduledActions", "ScheduledUpdateGroupActions", "ScheduledActionName",
		 "the scheduled action"},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct aws_query q = {
			.service = "autoscaling", .action = kinds[i].action, .resource = name};
		_cleanup_free_ char *path = xasprintf("%sResult.%s", kinds[i].action, kinds[i].list);
		_cleanup_buf_ struct buf form = {0};
		_cleanup_xml_ struct xml *x = NULL;
		const struct xml_node *n;
		const char *found;
		int r;

		form_add(&form, name, "AutoScalingGroupName");
		r = aws_query(a, &q, &form, &x, NULL, err);
		if (r < 0)
			return r;
		n = xml_each(xml_find(xml_root(x), path), NULL);
		if (!n)
			continue;
		found = xml_text(n, kinds[i].member);
		snprintf(ret, ASG_REASON_SIZE, "%s '%.100s'", kinds[i].what, found ? found : "");
		error_one_line(ret);
		return 0;
	}
	ret[0] = 0;
	return 0;
}
