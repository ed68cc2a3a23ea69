/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused before anything is changed; declared in cmd_aws_internal.h. Each says why, and how to mend it. */
#include <errno.h>
#include <string.h>

#include "cloud/aws_asg_make.h"
#include "cloud/aws_upload.h"
#include "cmd_aws_internal.h"
#include "lib/cleanup.h"

#define LONGEST_S 172800 /* of a checkpoint and of baking: StartInstanceRefresh, Preferences */

/* Processes without which nothing is replaced, or a bad image not noticed. */
static int check_processes(const struct asg_group *g, struct error *err)
{
	static const char *const needed[] = {"Launch",		 "Terminate",	      "HealthCheck",
					     "ReplaceUnhealthy", "AddToLoadBalancer", "InstanceRefresh"};

	for (size_t i = 0; i < g->suspended.len; i++)
		for (size_t k = 0; k < sizeof(needed) / sizeof(needed[0]); k++)
			if (strcmp(g->suspended.ptr[i], needed[k]) == 0)
				return error_set(
					err, -EINVAL,
					"group '%s': the process %s is suspended; resume it (aws autoscaling "
					"resume-processes --auto-scaling-group-name %s --scaling-processes %s)",
					g->name, needed[k], g->name, needed[k]);
	return 0;
}

/* A refresh waits an hour for these, and so would the way back (RefreshPreferences, ScaleInProtectedInstances and StandbyInstances). */
static int check_held(const struct asg_group *g, struct error *err)
{
	if (g->protects_new)
		return error_set(
			err, -EINVAL,
			"group '%s' protects new instances from scale-in: a refresh would wait for each, and so would the way "
			"back; aws autoscaling update-auto-scaling-group --auto-scaling-group-name '%s' "
			"--no-new-instances-protected-from-scale-in",
			g->name, g->name);
	for (size_t i = 0; i < g->len; i++) {
		const struct asg_instance *n = &g->list[i];

		if (strncmp(n->lifecycle, "Standby", 7) == 0 || strcmp(n->lifecycle, "EnteringStandby") == 0)
			return error_set(
				err, -EINVAL,
				"group '%s': %s is in standby, and a refresh would wait for it: aws autoscaling exit-standby "
				"--auto-scaling-group-name '%s' --instance-ids %s",
				g->name, n->id, g->name, n->id);
		if (n->protected && strncmp(n->lifecycle, "Terminat", 8) != 0)
			return error_set(
				err, -EINVAL,
				"group '%s': %s is protected from scale-in, and a refresh would wait for it: aws autoscaling "
				"set-instance-protection --auto-scaling-group-name '%s' --instance-ids %s "
				"--no-protected-from-scale-in",
				g->name, n->id, g->name, n->id);
	}
	return 0;
}

int aws_check_group(const struct asg_group *g, const struct asg_refresh *running, struct error *err)
{
	int r;

	if (g->deleting)
		return error_set(err, -EBUSY, "group '%s' is being deleted; choose another one", g->name);
	if (g->mixed || !g->template_id[0])
		return error_set(err, -ENOTSUP,
				 "group '%s' has %s; deploy needs one with a launch template of its own",
				 g->name, g->mixed ? "a mixed-instances policy" : "no launch template");
	if (g->version[0] == '$')
		return error_set(
			err, -EINVAL,
			"group '%s' uses version %s of its launch template, so nothing could be rolled back; give it a "
			"numbered one",
			g->name, g->version);
	if (!strstr(g->health_type, "ELB") || !g->target_groups.len)
		return error_set(
			err, -EINVAL,
			"group '%s' has no health check of a load balancer (HealthCheckType=%s, %zu target groups): a bad "
			"image would not be noticed; give it a target group and --health-check-type ELB",
			g->name, g->health_type, g->target_groups.len);
	if (!g->desired)
		return error_set(err, -EINVAL, "group '%s' has a desired capacity of 0: nothing to replace",
				 g->name);
	if (asg_refresh_runs(running))
		return error_set(
			err, -EBUSY,
			"group '%s': instance refresh %s is %s, and not of this image; wait for it, or end "
			"it (aws autoscaling cancel-instance-refresh --auto-scaling-group-name %s)",
			g->name, running->id, running->status, g->name);
	r = check_processes(g, err);
	return r < 0 ? r : check_held(g, err);
}

unsigned aws_count_behind(const struct asg_group *g)
{
	unsigned n = 0;

	for (size_t i = 0; i < g->len; i++)
		n += asg_serves(&g->list[i]) && g->list[i].target[0];
	return n;
}

int aws_check_healthy(const struct asg_group *g, const struct rollout_plan *p, struct error *err)
{
	unsigned serving = asg_count_serving(g), least = rollout_plan_least(p, g->desired);
	_cleanup_free_ char *lame = NULL;

	if (serving >= least)
		return 0;
	lame = asg_describe_lame(g);
	return error_set(
		err, -EINVAL,
		"group '%s': %u of %u serve, and %u must at any time (--min-healthy %u): wait until they do, "
		"or lower that%s%s%s",
		g->name, serving, g->desired, least, p->min_healthy, lame ? " (" : "", lame ? lame : "",
		lame ? ")" : "");
}

int aws_check_plan(const struct rollout_plan *p, struct error *err)
{
	int r = rollout_plan_check(p, 1, err);

	if (r < 0)
		return r;
	if (p->max_healthy - p->min_healthy > 100)
		return error_usage(
			err,
			"--min-healthy %u and --max-healthy %u: AWS takes bounds that are at most 100 apart",
			p->min_healthy, p->max_healthy);
	if (p->checkpoint > LONGEST_S || p->bake > LONGEST_S)
		return error_usage(err, "--checkpoint and --bake are %d seconds at most on AWS", LONGEST_S);
	return 0;
}

static const struct ec2_image *one_image(struct aws *a, const char *id, struct ec2_images *list,
					 struct error *err)
{
	return ec2_describe_images(a, &(const struct ec2_search){.id = id}, list, err) < 0 ? NULL
											   : &list->list[0];
}

static bool boots_by(const struct ec2_type *t, const char *mode)
{
	if (!mode[0] || !t->boot_modes.len)
		return true;
	for (size_t i = 0; i < t->boot_modes.len; i++)
		if (strcmp(t->boot_modes.ptr[i], mode) == 0 || strcmp(mode, "uefi-preferred") == 0)
			return true;
	return false;
}

static int check_type(const struct ec2_image *n, const struct ec2_type *t, struct error *err)
{
	bool fits = !t->architectures.len;

	for (size_t i = 0; i < t->architectures.len; i++)
		fits |= strcmp(t->architectures.ptr[i], n->architecture) == 0;
	if (!fits)
		return error_set(err, -EINVAL,
				 "%s is for %s, instances of type %s are %s; build it for that architecture",
				 n->id, n->architecture, t->name, t->architectures.ptr[0]);
	if (!boots_by(t, n->boot_mode))
		return error_set(err, -EINVAL,
				 "%s boots by %s, which instances of type %s cannot; choose a type that does",
				 n->id, n->boot_mode, t->name);
	if (n->tpm[0] && !t->tpm)
		return error_set(
			err, -EINVAL,
			"%s wants a TPM, which instances of type %s have not; upload it with --no-tpm, or "
			"choose another type",
			n->id, t->name);
	return 0;
}

/* The types are not known (a group by requirements): what runs now is fit. */
static int check_against(struct aws *a, const struct ec2_image *n, const char *current, struct error *err)
{
	_cleanup_images_ struct ec2_images old = {0};
	struct error ignored = ERROR_INIT;
	const struct ec2_image *was = current ? one_image(a, current, &old, &ignored) : NULL;

	if (was && strcmp(was->architecture, n->architecture) != 0)
		return error_set(err, -EINVAL, "%s is for %s, the group's instances are %s", n->id,
				 n->architecture, was->architecture);
	if (was && n->boot_mode[0] && was->boot_mode[0] && strcmp(was->boot_mode, n->boot_mode) != 0)
		return error_set(err, -EINVAL, "%s boots by %s, the group's image %s by %s", n->id,
				 n->boot_mode, current, was->boot_mode);
	return 0;
}

int aws_check_way_back(struct aws *a, const struct asg_group *g, const char *current, struct error *err)
{
	_cleanup_images_ struct ec2_images old = {0};
	struct error why = ERROR_INIT;
	const struct ec2_image *was;

	if (!aws_group_is_image(current))
		return error_set(
			err, -EINVAL,
			"group '%s': version %s of its launch template names its image as '%s', not by its id, so nothing could be "
			"rolled back; give it a version that does",
			g->name, g->version, current);
	was = one_image(a, current, &old, &why);
	if (was && strcmp(was->state, "available") == 0)
		return 0;
	if (!was && why.code != -ENOENT) {
		*err = why;
		return why.code;
	}
	return error_set(
		err, -ENOENT,
		"group '%s': its own image %s is %s: a deployment that fails could not be brought back; "
		"--unverified begins one all the same",
		g->name, current, was ? was->state : "not there any more");
}

int aws_check_image(struct aws *a, const char *image, bool unverified, const struct strlist *types,
		    const char *current, struct error *err)
{
	_cleanup_images_ struct ec2_images new = {0};
	const struct ec2_image *n = one_image(a, image, &new, err);
	const char *state;
	int r = 0;

	if (!n)
		return err->code;
	if (strcmp(n->state, "available") != 0)
		return error_set(err, -EINVAL, "%s is %s%s%s, not available", image, n->state,
				 n->reason ? ": " : "", n->reason ? n->reason : "");
	state = aws_tags_get(&n->tags, TAG_STATE);
	if (!unverified && (!state || strcmp(state, STATE_READY) != 0))
		return error_refuse(err,
				    "%s is not an image that 'mkappliance upload' has proved (tag " TAG_STATE
				    "); --unverified deploys it all the same",
				    image);
	if (!types->len)
		return check_against(a, n, current, err);
	for (size_t i = 0; i < types->len && r == 0; i++) {
		_cleanup_type_ struct ec2_type t = {0};

		r = ec2_describe_type(a, types->ptr[i], &t, err);
		if (r == 0)
			r = check_type(n, &t, err);
	}
	return r;
}
