/* SPDX-License-Identifier: Apache-2.0 */
/* Instance refreshes and launch templates; declared in aws_asg.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/aws_asg.h"
#include "cloud/aws_query.h"
#include "lib/cleanup.h"

#define COPY(n, path, field) xml_copy((n), (path), (field), sizeof(field))

bool asg_refresh_runs(const struct asg_refresh *r)
{
	static const char *const running[] = {"Pending", "InProgress", "Baking", "Cancelling",
					      "RollbackInProgress"};

	for (size_t i = 0; i < sizeof(running) / sizeof(running[0]); i++)
		if (strcmp(r->status, running[i]) == 0)
			return true;
	return false;
}

int asg_refresh_read(struct aws *a, const char *group, struct asg_refresh *ret, struct error *err)
{
	const struct aws_query q = {
		.service = "autoscaling", .action = "DescribeInstanceRefreshes", .resource = group};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;
	struct asg_refresh s = {0};
	const struct xml_node *n;
	const char *percent;
	int r;

	form_add(&form, group, "AutoScalingGroupName");
	form_add_number(&form, 1, "MaxRecords");
	r = aws_query(a, &q, &form, &x, NULL, err);
	if (r < 0)
		return r;
	n = xml_each(xml_find(xml_root(x), "DescribeInstanceRefreshesResult.InstanceRefreshes"), NULL);
	if (n) {
		COPY(n, "InstanceRefreshId", s.id);
		COPY(n, "Status", s.status);
		COPY(n, "StatusReason", s.reason);
		COPY(n, "StartTime", s.started);
		COPY(n, "EndTime", s.ended);
		COPY(n, "DesiredConfiguration.LaunchTemplate.Version", s.version);
		percent = xml_text(n, "PercentageComplete");
		s.percent = percent ? (unsigned)strtoul(percent, NULL, 10) : 0;
	}
	*ret = s;
	return 0;
}

void asg_refresh_form(const char *group, const char *template_id, const char *version,
		      const struct asg_preferences *p, struct buf *form)
{
	form_add(form, group, "AutoScalingGroupName");
	form_add(form, "Rolling", "Strategy");
	form_add(form, template_id, "DesiredConfiguration.LaunchTemplate.LaunchTemplateId");
	form_add(form, version, "DesiredConfiguration.LaunchTemplate.Version");
	form_add_number(form, p->min_healthy, "Preferences.MinHealthyPercentage");
	form_add_number(form, p->max_healthy, "Preferences.MaxHealthyPercentage");
	if (p->warms_up)
		form_add_number(form, p->warmup, "Preferences.InstanceWarmup");
	form_add(form, "true", "Preferences.SkipMatching");
	if (p->checkpoint) {
		form_add_number(form, p->first_percent, "Preferences.CheckpointPercentages.member.1");
		form_add_number(form, 100, "Preferences.CheckpointPercentages.member.2");
		form_add_number(form, p->checkpoint, "Preferences.CheckpointDelay");
	}
	if (p->bake)
		form_add_number(form, p->bake, "Preferences.BakeTime");
	for (size_t i = 0; p->alarms && i < p->alarms->len; i++)
		form_add(form, p->alarms->ptr[i], "Preferences.AlarmSpecification.Alarms.member.%zu", i + 1);
	if (p->auto_rollback)
		form_add(form, "true", "Preferences.AutoRollback");
}

int asg_refresh_start(struct aws *a, const char *group, const char *template_id, const char *version,
		      const struct asg_preferences *p, char ret_id[ASG_REFRESH_SIZE], struct error *err)
{
	const struct aws_query q = {
		.service = "autoscaling", .action = "StartInstanceRefresh", .resource = group};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;
	int r;

	asg_refresh_form(group, template_id, version, p, &form);
	r = aws_query(a, &q, &form, &x, NULL, err);
	if (r == 0)
		xml_copy(xml_root(x), "StartInstanceRefreshResult.InstanceRefreshId", ret_id,
			 ASG_REFRESH_SIZE);
	return r;
}

int asg_refresh_rollback(struct aws *a, const char *group, struct error *err)
{
	const struct aws_query q = {
		.service = "autoscaling", .action = "RollbackInstanceRefresh", .resource = group};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;

	form_add(&form, group, "AutoScalingGroupName");
	return aws_query(a, &q, &form, &x, NULL, err);
}

int asg_template_describe(struct aws *a, const char *template_id, const char *version,
			  struct asg_template *ret, struct error *err)
{
	const struct aws_query q = {
		.service = "ec2", .action = "DescribeLaunchTemplateVersions", .resource = template_id};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;
	struct asg_template t = {0};
	const struct xml_node *n;
	int r;

	form_add(&form, template_id, "LaunchTemplateId");
	form_add(&form, version, "LaunchTemplateVersion.1");
	r = aws_query(a, &q, &form, &x, NULL, err);
	if (r < 0)
		return r;
	n = xml_each(xml_find(xml_root(x), "launchTemplateVersionSet"), NULL);
	if (!n)
		return error_set(err, -ENOENT, "launch template %s has no version %s", template_id, version);
	COPY(n, "launchTemplateId", t.id);
	COPY(n, "versionNumber", t.number);
	COPY(n, "launchTemplateData.imageId", t.image);
	COPY(n, "launchTemplateData.instanceType", t.type);
	*ret = t;
	return 0;
}

int asg_template_read(struct aws *a, const char *template_id, const char *version,
		      char ret_image[EC2_ID_SIZE], char ret_number[ASG_VERSION_SIZE], struct error *err)
{
	struct asg_template t;
	int r = asg_template_describe(a, template_id, version, &t, err);

	if (r < 0)
		return r;
	memcpy(ret_image, t.image, EC2_ID_SIZE);
	memcpy(ret_number, t.number, ASG_VERSION_SIZE);
	return 0;
}

int asg_template_add(struct aws *a, const char *template_id, const char *source, const char *image,
		     const char *token, char ret_number[ASG_VERSION_SIZE], struct error *err)
{
	const struct aws_query q = {
		.service = "ec2", .action = "CreateLaunchTemplateVersion", .resource = template_id};
	_cleanup_free_ char *description = xasprintf("mkappliance deploy %s", image);
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;
	int r;

	form_add(&form, template_id, "LaunchTemplateId");
	form_add(&form, source, "SourceVersion");
	form_add(&form, description, "VersionDescription");
	form_add(&form, token, "ClientToken");
	form_add(&form, image, "LaunchTemplateData.ImageId");
	r = aws_query(a, &q, &form, &x, NULL, err);
	if (r < 0)
		return r;
	xml_copy(xml_root(x), "launchTemplateVersion.versionNumber", ret_number, ASG_VERSION_SIZE);
	if (!ret_number[0])
		return error_set(err, -EIO, "ec2:CreateLaunchTemplateVersion: no version in the answer");
	return 0;
}
