/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/aws_policy.h"

#include <ctype.h>
#include <string.h>

#include "cloud/aws_asg.h"
#include "cloud/aws_upload.h"
#include "lib/cleanup.h"

#define RESOURCE_TAG "aws:ResourceTag/" TAG_OURS
#define REQUEST_TAG  "aws:RequestTag/" TAG_OURS

/* What follows "arn:aws": "Amazon Resource Names", AWS General Reference. */
static const char *partition_of(const char *region)
{
	return strncmp(region, "cn-", 3) == 0 ? "-cn" : strncmp(region, "us-gov-", 7) == 0 ? "-us-gov" : "";
}

/* Actions by their names, which end in NULL. */
static struct json *statement(const char *sid, const char *const *actions)
{
	struct json *s = js_object_new(), *list = js_array_new();

	js_set_string(s, "Sid", sid);
	js_set_string(s, "Effect", "Allow");
	for (; *actions; actions++)
		js_append_string(list, *actions);
	js_set(s, "Action", list);
	return s;
}

/* ARNs of all of a kind in every region; @kinds ends in NULL. Images and snapshots have no account in their ARN. */
static void on_ec2(struct json *s, const struct aws_policy *p, const char *const *kinds)
{
	struct json *list = js_array_new();

	for (; *kinds; kinds++) {
		for (size_t i = 0; i < (p->regions->len ? p->regions->len : 1); i++) {
			const char *region = p->regions->len ? p->regions->ptr[i] : "*";
			_cleanup_free_ char *arn =
				xasprintf("arn:aws%s:ec2:%s::%s/*", partition_of(region), region, *kinds);

			js_append_string(list, arn);
		}
	}
	js_set(s, "Resource", list);
}

static void only_if(struct json *s, const char *operator, const char * key, struct json *values)
{
	struct json *condition = js_object_new(), *test = js_object_new();

	js_set(test, key, values);
	js_set(condition, operator, test);
	js_set(s, "Condition", condition);
}

static void only_equal(struct json *s, const char *key, const char *value)
{
	struct json *values = js_array_new();

	js_append_string(values, value);
	only_if(s, "StringEquals", key, values);
}

static const char *const snapshots[] = {"snapshot", NULL}, *const images[] = {"image", NULL},
			 *const both[] = {"image", "snapshot", NULL};

static void add(struct json *list, const struct aws_policy *p, const char *sid, const char *const *actions,
		const char *const *kinds, const char *key)
{
	struct json *s = statement(sid, actions);

	if (kinds)
		on_ec2(s, p, kinds);
	else
		js_set_string(s, "Resource", "*");
	if (key)
		only_equal(s, key, "1");
	js_append(list, s);
}

static void add_upload(struct json *list, const struct aws_policy *p)
{
	static const char *const
		look[] = {"ec2:DescribeImages", "ec2:DescribeSnapshots", "ec2:GetEbsEncryptionByDefault",
			  NULL},
		*const start[] = {"ebs:StartSnapshot", NULL}, *const blocks[] = {"ebs:PutSnapshotBlock",
										 "ebs:CompleteSnapshot",
										 "ebs:ListSnapshotBlocks",
										 "ebs:ListChangedBlocks",
										 "ebs:GetSnapshotBlock",
										 NULL},
		*const mark[] = {"ec2:CreateTags", NULL}, *const reg[] = {"ec2:RegisterImage", NULL},
		*const clear[] = {"ec2:DeleteSnapshot", NULL},
		*const attributes[] = {"ec2:DescribeImageAttribute", NULL};

	add(list, p, "Look", look, NULL, NULL);
	add(list, p, "LookAtOurs", attributes, images, RESOURCE_TAG);
	add(list, p, "Start", start, snapshots, REQUEST_TAG);
	add(list, p, "Blocks", blocks, snapshots, RESOURCE_TAG);
	add(list, p, "TagWhatIsMade", mark, both, REQUEST_TAG);
	add(list, p, "TagOurs", mark, both, RESOURCE_TAG);
	add(list, p, "Register", reg, images, REQUEST_TAG);
	add(list, p, "RegisterOurSnapshot", reg, snapshots, RESOURCE_TAG);
	if (!p->gc)
		add(list, p, "ClearFailed", clear, snapshots, RESOURCE_TAG);
}

static void add_publish(struct json *list, const struct aws_policy *p)
{
	static const char *const copy[] = {"ec2:CopyImage", NULL},
				 *const share[] = {"ec2:ModifyImageAttribute", "ec2:ModifySnapshotAttribute",
						   NULL},
				 *const deprecate[] = {"ec2:EnableImageDeprecation", NULL},
				 *const protect[] = {"ec2:EnableImageDeregistrationProtection", NULL};

	if (p->copy)
		add(list, p, "Copy", copy, both, NULL);
	if (p->share)
		add(list, p, "Share", share, both, RESOURCE_TAG);
	if (p->deprecate)
		add(list, p, "Deprecate", deprecate, images, RESOURCE_TAG);
	if (p->protect)
		add(list, p, "Protect", protect, images, RESOURCE_TAG);
}

static void add_parameters(struct json *list, const struct aws_policy *p)
{
	static const char *const actions[] = {"ssm:PutParameter", "ssm:GetParameter", NULL};
	struct json *s = statement("Parameters", actions), *arns = js_array_new();

	for (size_t n = 0; n < p->parameters->len; n++) {
		for (size_t i = 0; i < (p->regions->len ? p->regions->len : 1); i++) {
			const char *region = p->regions->len ? p->regions->ptr[i] : "*";
			_cleanup_free_ char *arn =
				xasprintf("arn:aws%s:ssm:%s:%s:parameter%s", partition_of(region), region,
					  p->account ? p->account : "*", p->parameters->ptr[n]);

			js_append_string(arns, arn);
		}
	}
	js_set(s, "Resource", arns);
	js_append(list, s);
}

/* What EBS and EC2 do with a key in the caller's name ("Requirements for Amazon EBS encryption", Amazon EBS User Guide). */
static void add_keys(struct json *list, const struct aws_policy *p)
{
	static const char *const actions[] = {"kms:DescribeKey",   "kms:GenerateDataKeyWithoutPlaintext",
					      "kms:ReEncryptFrom", "kms:ReEncryptTo",
					      "kms:Decrypt",	   NULL},
				 *const grant[] = {"kms:CreateGrant", NULL};
	struct json *use = statement("Keys", actions), *give = statement("KeysForServices", grant),
		    *arns = js_array_new(), *condition = js_object_new(), *truth = js_object_new();

	for (size_t i = 0; i < p->kms_keys->len; i++)
		js_append_string(arns, p->kms_keys->ptr[i]);
	js_set(give, "Resource", js_share(arns));
	js_set(use, "Resource", arns);
	js_set_string(truth, "kms:GrantIsForAWSResource", "true");
	js_set(condition, "Bool", truth);
	js_set(give, "Condition", condition);
	js_append(list, use);
	js_append(list, give);
}

static void add_gc(struct json *list, const struct aws_policy *p)
{
	static const char *const look[] = {"ec2:DescribeImages",
					   "ec2:DescribeSnapshots",
					   "ec2:DescribeInstances",
					   "ec2:DescribeLaunchTemplates",
					   "ec2:DescribeLaunchTemplateVersions",
					   "autoscaling:DescribeLaunchConfigurations",
					   "autoscaling:DescribeAutoScalingGroups",
					   "ssm:GetParameters",
					   NULL},
				 *const remove[] = {"ec2:DeregisterImage", "ec2:DeleteSnapshot", NULL},
				 *const attributes[] = {"ec2:DescribeImageAttribute", NULL};

	add(list, p, "LookForUses", look, NULL, NULL);
	add(list, p, "LookForShares", attributes, images, RESOURCE_TAG);
	add(list, p, "Remove", remove, both, RESOURCE_TAG);
}

/* ARNs that end so, in each region; @service: "autoscaling", "ec2". */
static void add_arns(struct json *list, const struct aws_policy *p, const char *service, const char *rest)
{
	for (size_t i = 0; i < (p->regions->len ? p->regions->len : 1); i++) {
		const char *region = p->regions->len ? p->regions->ptr[i] : "*";
		_cleanup_free_ char *arn = xasprintf("arn:aws%s:%s:%s:%s:%s", partition_of(region), service,
						     region, p->account ? p->account : "*", rest);

		js_append_string(list, arn);
	}
}

/* A group has three names: its own, and those of the second one beside it. */
static void list_groups(const struct aws_policy *p, struct strlist *ret)
{
	static const char *const ends[] = {"", "-green", "-blue"};

	if (!p->groups->len)
		strlist_add(ret, "*");
	for (size_t i = 0; i < p->groups->len; i++)
		for (size_t k = 0; k < sizeof(ends) / sizeof(ends[0]); k++) {
			_cleanup_free_ char *name = xasprintf("%s%s", p->groups->ptr[i], ends[k]);

			strlist_add(ret, name);
		}
}

static struct json *group_arns(const struct aws_policy *p)
{
	_cleanup_strlist_ struct strlist names = {0};
	struct json *list = js_array_new();

	list_groups(p, &names);
	for (size_t i = 0; i < names.len; i++) {
		_cleanup_free_ char *rest =
			xasprintf("autoScalingGroup:*:autoScalingGroupName/%s", names.ptr[i]);

		add_arns(list, p, "autoscaling", rest);
	}
	return list;
}

static struct json *group_names(const struct aws_policy *p)
{
	_cleanup_strlist_ struct strlist names = {0};
	struct json *list = js_array_new();

	list_groups(p, &names);
	for (size_t i = 0; i < names.len; i++)
		js_append_string(list, names.ptr[i]);
	return list;
}

static void add_on(struct json *list, const char *sid, const char *const *actions, struct json *resources,
		   const char *key)
{
	struct json *s = statement(sid, actions);

	js_set(s, "Resource", resources);
	if (key)
		only_equal(s, key, "1");
	js_append(list, s);
}

static struct json *ec2_arns(const struct aws_policy *p, const char *const *kinds)
{
	struct json *list = js_array_new();

	for (; *kinds; kinds++) {
		_cleanup_free_ char *rest = xasprintf("%s/*", *kinds);

		add_arns(list, p, "ec2", rest);
	}
	return list;
}

static const char *const templates[] = {"launch-template", NULL};

/* Auto Scaling tries a launch template with the caller's own rights: ec2:RunInstances ("Control Amazon EC2 launch template usage"). */
static void add_deploy(struct json *list, const struct aws_policy *p)
{
	static const char *const look[] = {"autoscaling:DescribeAutoScalingGroups",
					   "autoscaling:DescribeInstanceRefreshes",
					   "autoscaling:DescribeScalingActivities",
					   "cloudwatch:DescribeAlarms",
					   "ec2:DescribeImages",
					   "ec2:DescribeInstanceTypes",
					   "ec2:DescribeInstances",
					   "ec2:DescribeLaunchTemplateVersions",
					   "elasticloadbalancing:DescribeTargetHealth",
					   NULL},
				 *const move[] = {"autoscaling:CreateOrUpdateTags",
						  "autoscaling:StartInstanceRefresh",
						  "autoscaling:RollbackInstanceRefresh", NULL},
				 *const version[] = {"ec2:CreateLaunchTemplateVersion", NULL},
				 *const run[] = {"ec2:RunInstances", NULL};

	add(list, p, "LookAtGroups", look, NULL, NULL);
	add_on(list, "MoveGroups", move, group_arns(p), NULL);
	add_on(list, "TemplateVersions", version, ec2_arns(p, templates), NULL);
	add(list, p, "UseTemplates", run, NULL, NULL);
}

static void add_create(struct json *list, const struct aws_policy *p)
{
	static const char *const
		look[] = {"autoscaling:DescribeLifecycleHooks",
			  "autoscaling:DescribePolicies",
			  "autoscaling:DescribeScheduledActions",
			  "ec2:DescribeLaunchTemplates",
			  "ec2:DescribeSubnets",
			  "elasticloadbalancing:DescribeTargetGroups",
			  NULL},
		*const make[] = {"autoscaling:AttachLoadBalancerTargetGroups",
				 "autoscaling:CreateAutoScalingGroup", "autoscaling:DeleteAutoScalingGroup",
				 "autoscaling:DetachLoadBalancerTargetGroups", NULL},
		*const template[] = {"ec2:CreateLaunchTemplate", NULL},
		*const clear[] = {"ec2:DeleteLaunchTemplate", NULL}, *const mark[] = {"ec2:CreateTags", NULL},
		*const marked[] = {"launch-template", "instance", "volume", NULL},
		*const pass[] = {"iam:PassRole", NULL};
	struct json *s = statement("InstanceProfiles", pass);

	add(list, p, "LookAtParts", look, NULL, NULL);
	add_on(list, "MakeGroups", make, group_arns(p), NULL);
	add_on(list, "MakeTemplates", template, ec2_arns(p, templates), REQUEST_TAG);
	add_on(list, "ClearTemplates", clear, ec2_arns(p, templates), RESOURCE_TAG);
	add_on(list, "TagParts", mark, ec2_arns(p, marked), REQUEST_TAG);
	js_set_string(s, "Resource", "*");
	only_equal(s, "iam:PassedToService", "ec2.amazonaws.com");
	js_append(list, s);
}

/* Only in groups that drills are allowed in, and only instances of groups. */
static void add_drill(struct json *list, const struct aws_policy *p)
{
	static const char *const in_groups[] = {"autoscaling:SetInstanceHealth",
						"autoscaling:TerminateInstanceInAutoScalingGroup", NULL},
				 *const end[] = {"ec2:TerminateInstances", NULL},
				 *const instances[] = {"instance", NULL};
	struct json *strike = statement("Drill", in_groups), *terminate = statement("DrillInstances", end);

	js_set(strike, "Resource", group_arns(p));
	only_equal(strike, "aws:ResourceTag/" ASG_TAG_DRILL, ASG_DRILL_ALLOWED);
	js_append(list, strike);
	js_set(terminate, "Resource", ec2_arns(p, instances));
	only_if(terminate, "StringLike", "aws:ResourceTag/aws:autoscaling:groupName", group_names(p));
	js_append(list, terminate);
}

/* ---- what was asked for ---- */

static bool only_of(const char *text, const char *more)
{
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(more, *text))
			return false;
	return true;
}

static int check(const struct aws_policy *p, struct error *err)
{
	for (size_t i = 0; i < p->regions->len; i++)
		if (!*p->regions->ptr[i] || !only_of(p->regions->ptr[i], "-"))
			return error_usage(err, "--region: '%s' is no region", p->regions->ptr[i]);
	for (size_t i = 0; i < p->kms_keys->len; i++)
		if (strncmp(p->kms_keys->ptr[i], "arn:", 4) != 0 || !only_of(p->kms_keys->ptr[i], ":/-_*"))
			return error_usage(err,
					   "--kms-key: '%s' is no ARN (arn:aws:kms:REGION:ACCOUNT:key/ID)",
					   p->kms_keys->ptr[i]);
	for (size_t i = 0; i < p->parameters->len; i++)
		if (p->parameters->ptr[i][0] != '/' || !only_of(p->parameters->ptr[i], "/._-*"))
			return error_usage(err, "--parameter: '%s' is no name of a parameter (/PART/PART)",
					   p->parameters->ptr[i]);
	for (size_t i = 0; i < p->groups->len; i++)
		if (!*p->groups->ptr[i] || !only_of(p->groups->ptr[i], "().-/_*"))
			return error_usage(err, "--group: '%s' is no name of a group; * stands for anything",
					   p->groups->ptr[i]);
	if (p->account && (strlen(p->account) != 12 || strspn(p->account, "0123456789") != 12))
		return error_usage(err, "--account: '%s' is not 12 digits", p->account);
	return 0;
}

int aws_policy_json(const struct aws_policy *p, struct json **ret, struct error *err)
{
	struct json *j, *list;
	int r = check(p, err);

	if (r < 0)
		return r;
	j = js_object_new();
	list = js_array_new();
	js_set_string(j, "Version", "2012-10-17");
	if (p->upload)
		add_upload(list, p);
	add_publish(list, p);
	if (p->parameters->len)
		add_parameters(list, p);
	if (p->kms_keys->len)
		add_keys(list, p);
	if (p->gc)
		add_gc(list, p);
	if (p->deploy)
		add_deploy(list, p);
	if (p->create)
		add_create(list, p);
	if (p->drill)
		add_drill(list, p);
	js_set(j, "Statement", list);
	*ret = j;
	return 0;
}
