/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of Auto Scaling and of launch templates as botocore 1.43 writes them. */
#include "unit.h"

#include "cloud/aws_asg_make.h"

/* botocore.serialize.create_serializer("query"), StartInstanceRefresh with the same parameters. */
static void refresh_form(void **state)
{
	_cleanup_strlist_ struct strlist alarms = {0};
	const struct asg_preferences p = {.min_healthy = 90,
					  .max_healthy = 110,
					  .checkpoint = 60,
					  .first_percent = 33,
					  .bake = 120,
					  .warmup = 0,
					  .warms_up = true,
					  .alarms = &alarms,
					  .auto_rollback = true};
	_cleanup_buf_ struct buf form = {0};

	(void)state;
	strlist_add(&alarms, "5xx & more");
	strlist_add(&alarms, "latency");
	asg_refresh_form("web", "lt-1", "7", &p, &form);
	assert_string_equal(
		form.ptr,
		"&AutoScalingGroupName=web&Strategy=Rolling"
		"&DesiredConfiguration.LaunchTemplate.LaunchTemplateId=lt-1"
		"&DesiredConfiguration.LaunchTemplate.Version=7&Preferences.MinHealthyPercentage=90"
		"&Preferences.MaxHealthyPercentage=110&Preferences.InstanceWarmup=0&Preferences.SkipMatching=true"
		"&Preferences.CheckpointPercentages.member.1=33&Preferences.CheckpointPercentages.member.2=100"
		"&Preferences.CheckpointDelay=60&Preferences.BakeTime=120"
		"&Preferences.AlarmSpecification.Alarms.member.1=5xx%20%26%20more"
		"&Preferences.AlarmSpecification.Alarms.member.2=latency&Preferences.AutoRollback=true");
}

/* The way back goes to what the group's own template says. */
static void refresh_least(void **state)
{
	const struct asg_preferences p = {.min_healthy = 100, .max_healthy = 110};
	_cleanup_buf_ struct buf form = {0};

	(void)state;
	asg_refresh_form("web", NULL, NULL, &p, &form);
	assert_string_equal(form.ptr,
			    "&AutoScalingGroupName=web&Strategy=Rolling&Preferences.MinHealthyPercentage=100"
			    "&Preferences.MaxHealthyPercentage=110&Preferences.SkipMatching=true");
}

static void template_form(void **state)
{
	static const struct aws_tag tags[] = {{"mkappliance", "1"}, {"k", "v"}};
	_cleanup_strlist_ struct strlist groups = {0};
	struct asg_template_make t = {.name = "web",
				      .image = "ami-1",
				      .type = "t3.micro",
				      .security_groups = &groups,
				      .profile = "role",
				      .token = "t",
				      .tags = tags,
				      .tag_count = 2};
	_cleanup_buf_ struct buf form = {0}, other = {0};

	(void)state;
	strlist_add(&groups, "sg-1");
	strlist_add(&groups, "sg-2");
	asg_template_form(&t, &form);
	assert_string_equal(
		form.ptr,
		"&LaunchTemplateName=web&ClientToken=t&LaunchTemplateData.ImageId=ami-1"
		"&LaunchTemplateData.InstanceType=t3.micro&LaunchTemplateData.SecurityGroupId.1=sg-1"
		"&LaunchTemplateData.SecurityGroupId.2=sg-2&LaunchTemplateData.IamInstanceProfile.Name=role"
		"&LaunchTemplateData.MetadataOptions.HttpTokens=required"
		"&LaunchTemplateData.MetadataOptions.HttpPutResponseHopLimit=1"
		"&LaunchTemplateData.MetadataOptions.HttpEndpoint=enabled"
		"&LaunchTemplateData.TagSpecification.1.ResourceType=instance"
		"&LaunchTemplateData.TagSpecification.1.Tag.1.Key=mkappliance"
		"&LaunchTemplateData.TagSpecification.1.Tag.1.Value=1"
		"&LaunchTemplateData.TagSpecification.2.ResourceType=volume"
		"&LaunchTemplateData.TagSpecification.2.Tag.1.Key=mkappliance"
		"&LaunchTemplateData.TagSpecification.2.Tag.1.Value=1"
		"&TagSpecification.1.ResourceType=launch-template&TagSpecification.1.Tag.1.Key=mkappliance"
		"&TagSpecification.1.Tag.1.Value=1&TagSpecification.1.Tag.2.Key=k&TagSpecification.1.Tag.2.Value=v");
	t.profile = "arn:aws:iam::1:instance-profile/p";
	t.tag_count = 0;
	asg_template_form(&t, &other);
	assert_contains(other.ptr, "&LaunchTemplateData.IamInstanceProfile.Arn=arn%3Aaws%3Aiam");
	assert_null(strstr(other.ptr, "launch-template"));
}

static void group_form(void **state)
{
	static const struct asg_make_tag tags[] = {{"a", "", false}, {"b", "c d", true}};
	_cleanup_strlist_ struct strlist arns = {0}, policies = {0};
	struct asg_make g = {.name = "web",
			     .template_id = "lt-1",
			     .version = "1",
			     .min = 1,
			     .max = 4,
			     .desired = 2,
			     .subnets = "subnet-a,subnet-b",
			     .target_groups = &arns,
			     .grace = 60,
			     .warmup = 30,
			     .warms_up = true,
			     .lifetime = 86400,
			     .policies = &policies,
			     .tags = tags,
			     .tag_count = 2};
	_cleanup_buf_ struct buf form = {0}, least = {0};

	(void)state;
	strlist_add(&arns, "arn:1");
	strlist_add(&policies, "OldestInstance");
	asg_make_form(&g, &form);
	assert_string_equal(
		form.ptr,
		"&AutoScalingGroupName=web&LaunchTemplate.LaunchTemplateId=lt-1&LaunchTemplate.Version=1"
		"&MinSize=1&MaxSize=4&DesiredCapacity=2&VPCZoneIdentifier=subnet-a%2Csubnet-b"
		"&TargetGroupARNs.member.1=arn%3A1&HealthCheckType=ELB&HealthCheckGracePeriod=60"
		"&DefaultInstanceWarmup=30&MaxInstanceLifetime=86400"
		"&TerminationPolicies.member.1=OldestInstance&Tags.member.1.Key=a&Tags.member.1.Value="
		"&Tags.member.1.PropagateAtLaunch=false&Tags.member.2.Key=b&Tags.member.2.Value=c%20d"
		"&Tags.member.2.PropagateAtLaunch=true");
	g.warms_up = false;
	g.lifetime = 0;
	g.policies = NULL;
	g.tag_count = 0;
	asg_make_form(&g, &least);
	assert_null(strstr(least.ptr, "Warmup"));
	assert_null(strstr(least.ptr, "Lifetime"));
	assert_null(strstr(least.ptr, "Policies"));
	assert_null(strstr(least.ptr, "Tags"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refresh_form),
		cmocka_unit_test(refresh_least),
		cmocka_unit_test(template_form),
		cmocka_unit_test(group_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
