/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance deploy: moves a group of machines to an image, one after the other, and back when that fails. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd_deploy.h"
#include "cmd_keeper.h"
#include "lib/cleanup.h"
#include "vm/domain.h"

#define UNSET	    DEPLOY_UNSET
#define MEMORY_MIN  128
#define OPTIONS_MAX 64

static int check_options(const struct deploy_options *o, const char *image, struct error *err)
{
	if (o->to && strcmp(o->to, "libvirt") != 0 && strcmp(o->to, "aws") != 0)
		return error_usage(err, "--to: unknown provider '%s': libvirt, aws", o->to);
	if (!image && !o->group)
		return error_usage(err, "missing argument: mkappliance deploy IMAGE --group=NAME");
	if (o->destroy && image)
		return error_usage(err, "--destroy takes no image");
	if (o->memory && o->memory < MEMORY_MIN)
		return error_usage(err, "--memory: %u MiB are not enough for the firmware; %d at least",
				   o->memory, MEMORY_MIN);
	return 0;
}

static bool is_said(const struct option_spec *o)
{
	switch (o->kind) {
	case OPTION_FLAG:
		return *(bool *)o->value;
	case OPTION_LIST:
		return ((struct strlist *)o->value)->len > 0;
	case OPTION_NUMBER:
	case OPTION_MAYBE:
		return *(unsigned *)o->value != UNSET && *(unsigned *)o->value;
	case OPTION_STRING:
		break;
	}
	return *(const char **)o->value;
}

/* An option that would be passed over in silence is an error. @foreign: those of the other provider. */
static int check_provider(const struct option_spec *foreign, const char *provider, struct error *err)
{
	for (const struct option_spec *o = foreign; o->name; o++)
		if (is_said(o))
			return error_usage(err, "--%s means nothing for provider '%s'", o->name, provider);
	return 0;
}

/* What makes a group is said with --create, and nowhere else. */
static int check_create(const struct deploy_options *o, struct error *err)
{
	const struct aws_group_options *a = &o->aws;
	const char *alone = o->size != UNSET	     ? "size"
			    : a->subnets.len	     ? "subnets"
			    : a->target_groups.len   ? "target-group"
			    : a->security_groups.len ? "security-group"
			    : a->tags.len	     ? "tag"
			    : a->type		     ? "instance-type"
			    : a->instance_profile    ? "instance-profile"
			    : a->min_size != UNSET   ? "min-size"
			    : a->max_size != UNSET   ? "max-size"
						     : NULL;

	if (alone && !a->create)
		return error_usage(err, "--%s means nothing for provider 'aws' without --create", alone);
	if (o->strategy && strcmp(o->strategy, "rolling") != 0 && strcmp(o->strategy, "blue-green") != 0)
		return error_usage(err, "--strategy: '%s' is neither rolling nor blue-green", o->strategy);
	if (a->blue_green && a->create)
		return error_usage(err, "--create and --strategy blue-green: one after the other");
	if (a->blue_green && a->alarms.len)
		return error_usage(err, "--alarm is of a refresh: --strategy rolling");
	if (a->keep_old != UNSET && !a->blue_green)
		return error_usage(err, "--keep-old is for --strategy blue-green");
	return 0;
}

static void fill_aws(struct deploy_options *o)
{
	struct aws_group_options *a = &o->aws;

	a->group = o->group;
	a->interval = a->interval == UNSET ? AWS_GROUP_INTERVAL : a->interval;
	a->warms_up = a->instance_warmup != UNSET;
	a->keep_old = a->keep_old == UNSET ? AWS_GROUP_KEEP : a->keep_old;
	a->size = o->size == UNSET ? DEPLOY_SIZE : o->size;
	a->min_size = a->min_size == UNSET ? a->size : a->min_size;
	a->max_size = a->max_size == UNSET ? 2 * a->size : a->max_size;
	a->plan = ROLLOUT_PLAN_DEFAULT;
	a->allow_drill = o->allow_drill;
	a->unverified = o->unverified;
	a->json = o->common.json;
	a->quiet = o->common.quiet;
}

static int deploy_aws(struct deploy_options *o, const char *image, struct error *err)
{
	_cleanup_json_ struct json *changes = rollout_plan_json(&o->plan);
	struct aws_group_options *a = &o->aws;
	int r;

	if (!o->group || !*o->group || !image)
		return error_usage(err,
				   "missing argument: mkappliance deploy AMI|MANIFEST --group=NAME --to=aws");
	a->blue_green = o->strategy && strcmp(o->strategy, "blue-green") == 0;
	r = check_create(o, err);
	if (r < 0)
		return r;
	fill_aws(o);
	r = rollout_plan_parse(changes, &a->plan, err);
	return r < 0 ? r : aws_group_deploy(a, image, err);
}

static int carry_out(struct deploy_options *o, const char *image, struct error *err)
{
	_cleanup_group_dir_ struct group_dir d = {0};
	int r = group_dir_open(o->group, &d, err);

	if (r < 0)
		return r;
	if (o->foreground) {
		r = group_dir_need(&d, err);
		return r < 0 ? r : keeper_run(&d, err);
	}
	return o->destroy ? deploy_local_destroy(&d, err) : deploy_local(&d, o, image, err);
}

static void free_options(struct deploy_options *o)
{
	strlist_free(&o->aws.alarms);
	strlist_free(&o->aws.subnets);
	strlist_free(&o->aws.target_groups);
	strlist_free(&o->aws.security_groups);
	strlist_free(&o->aws.tags);
}

/* For both providers. Each of the three appends to @ret and returns how many. */
static size_t add_options(struct deploy_options *o, struct option_spec *ret)
{
	struct rollout_plan *p = &o->plan;
	const struct option_spec options[] = {
		{"group", 0, OPTION_STRING, "NAME", "the group", &o->group},
		{"to", 0, OPTION_STRING, "PROVIDER",
		 "libvirt: virtual machines of this host (default); aws: an Auto Scaling group that is there",
		 &o->to},
		{"size", 0, OPTION_NUMBER, "N", "machines that are to serve (default: as it is; 2)",
		 &o->size},
		{"min-healthy", 0, OPTION_NUMBER, "PERCENT", "of them that must serve at any time (100)",
		 &p->min_healthy},
		{"max-healthy", 0, OPTION_NUMBER, "PERCENT",
		 "of them that may exist; more than 100 is one more at least (110)", &p->max_healthy},
		{"checkpoint", 0, OPTION_NUMBER, "SECONDS",
		 "that the first new one must serve well before others follow (10)", &p->checkpoint},
		{"bake", 0, OPTION_NUMBER, "SECONDS", "that all must serve well at the end (10)", &p->bake},
		{"warmup", 0, OPTION_NUMBER, "SECONDS", "in which a new one must be healthy (180)",
		 &p->warmup},
		{"deadline", 0, OPTION_NUMBER, "SECONDS", "for the whole (1800)", &p->deadline},
		{"failures", 0, OPTION_NUMBER, "N", "new ones that may fail before it goes back (0)",
		 &p->failures},
		{"allow-drill", 0, OPTION_FLAG, NULL, "planned failures are allowed in this group",
		 &o->allow_drill},
		{"unverified", 0, OPTION_FLAG, NULL, "do not prove the image first", &o->unverified},
	};

	memcpy(ret, options, sizeof(options));
	return sizeof(options) / sizeof(options[0]);
}

static size_t add_libvirt(struct deploy_options *o, struct option_spec *ret)
{
	struct rollout_plan *p = &o->plan;
	const struct option_spec options[] = {
		{"drain", 0, OPTION_NUMBER, "SECONDS", "that open connections may take to end (30)",
		 &p->drain},
		{"max-lifetime", 0, OPTION_NUMBER, "SECONDS",
		 "of a machine; then it is replaced (0: for ever)", &p->max_lifetime},
		{"listen", 0, OPTION_STRING, "[ADDRESS:]PORT",
		 "where the balancer serves (default: a free port of 127.0.0.1)", &o->listen},
		{"health", 0, OPTION_STRING, ":PORT/PATH",
		 "what the balancer asks (default: the first Get= of [Test])", &o->health},
		{"memory", 0, OPTION_NUMBER, "MIB", "memory of a machine (default: the template's)",
		 &o->memory},
		{"cpus", 0, OPTION_NUMBER, "N", "processors of a machine (default: the template's)",
		 &o->cpus},
		{"connect", 0, OPTION_STRING, "URI",
		 "libvirt to run them (default: one of our own, without a daemon)", &o->connect},
		{"destroy", 0, OPTION_FLAG, NULL, "end the group and remove all it had", &o->destroy},
		{"foreground", 0, OPTION_FLAG, NULL, "be the keeper of the group instead of starting one",
		 &o->foreground},
	};

	memcpy(ret, options, sizeof(options));
	return sizeof(options) / sizeof(options[0]);
}

static size_t add_aws(struct deploy_options *o, struct option_spec *ret)
{
	const struct option_spec options[] = {
		{"region", 0, OPTION_STRING, "REGION", "aws: where the group is", &o->aws.region},
		{"profile", 0, OPTION_STRING, "NAME", "aws: of the configuration", &o->aws.profile},
		{"endpoint-url", 0, OPTION_STRING, "URL", "aws: another endpoint", &o->aws.endpoint_url},
		{"interval", 0, OPTION_NUMBER, "SECONDS", "aws: between two looks at the group (5)",
		 &o->aws.interval},
		{"instance-warmup", 0, OPTION_NUMBER, "SECONDS",
		 "aws: that a new instance is given before it counts (default: the group's)",
		 &o->aws.instance_warmup},
		{"alarm", 0, OPTION_LIST, "NAME",
		 "aws: CloudWatch's, that brings the group back when it rings", &o->aws.alarms},
		{"strategy", 0, OPTION_STRING, "NAME",
		 "aws: rolling (default), or blue-green: a second group beside the first", &o->strategy},
		{"keep-old", 0, OPTION_NUMBER, "SECONDS", "aws: that the first group stays then (300)",
		 &o->aws.keep_old},
		{"create", 0, OPTION_FLAG, NULL, "aws: make the group, with what follows up to --tag",
		 &o->aws.create},
		{"subnets", 0, OPTION_LIST, "ID,...", "aws: where its instances are", &o->aws.subnets},
		{"target-group", 0, OPTION_LIST, "NAME|ARN",
		 "aws: that gives them requests, and asks for their health", &o->aws.target_groups},
		{"instance-type", 0, OPTION_STRING, "TYPE", "aws: of its instances", &o->aws.type},
		{"security-group", 0, OPTION_LIST, "ID", "aws: of its instances (default: the network's own)",
		 &o->aws.security_groups},
		{"instance-profile", 0, OPTION_STRING, "NAME|ARN", "aws: of its instances (default: none)",
		 &o->aws.instance_profile},
		{"min-size", 0, OPTION_NUMBER, "N", "aws: fewest instances (default: --size)",
		 &o->aws.min_size},
		{"max-size", 0, OPTION_NUMBER, "N", "aws: most instances (default: twice --size)",
		 &o->aws.max_size},
		{"tag", 0, OPTION_LIST, "KEY=VALUE", "aws: of the group and its instances", &o->aws.tags},
	};

	memcpy(ret, options, sizeof(options));
	return sizeof(options) / sizeof(options[0]);
}

static int run(const struct command *self, int argc, char **argv, struct error *err)
{
	_cleanup_(free_options) struct deploy_options o = {.size = UNSET,
							   .aws = {.interval = UNSET,
								   .instance_warmup = UNSET,
								   .keep_old = UNSET,
								   .min_size = UNSET,
								   .max_size = UNSET}};
	struct option_spec options[OPTIONS_MAX] = {0}, local[OPTIONS_MAX] = {0}, aws[OPTIONS_MAX] = {0};
	size_t n = add_options(&o, options);
	const char *image = NULL;
	bool is_aws;
	int r;

	n += add_libvirt(&o, options + n);
	n += add_aws(&o, options + n);
	(void)add_libvirt(&o, local);
	(void)add_aws(&o, aws);
	o.plan = (struct rollout_plan){UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, UNSET};
	hypervisor_silence();
	r = cmd_parse(self, options, argc, argv, 0, 1, &image, &n, &o.common, err);
	if (r != 0)
		return r;
	is_aws = o.to && strcmp(o.to, "aws") == 0;
	if ((r = check_options(&o, image, err)) < 0 ||
	    (r = check_provider(is_aws ? local : aws, is_aws ? "aws" : "libvirt", err)) < 0)
		return r;
	return is_aws ? deploy_aws(&o, image, err) : carry_out(&o, image, err);
}

const struct command cmd_deploy = {
	.name = "deploy",
	.arguments = "[IMAGE]",
	.summary = "Move a group of machines to an image, and back when that fails",
	.run = run,
};
