/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drills in an Auto Scaling group; declared in cmd_drill.h. What is struck is replaced by the group itself; an image that is deployed is
 * deployed as 'deploy' does it, and its verdict is what is tried.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cmd_aws_fleet.h"
#include "cmd_aws_group.h"
#include "cmd_aws_set.h"
#include "cmd_drill.h"
#include "cmd_group.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"
#include "rollout/drill_history.h"

struct far {
	const struct drill_options *o;
	struct aws *a;
	char *group;			  /* the one of that name that serves */
	struct asg_group last;		  /* at the last look */
	struct strlist known;		  /* instances when the drill began */
	char version[ASG_VERSION_SIZE];	  /* of the group's template, when @image was read */
	char image[EC2_ID_SIZE];	  /* the group's own */
	struct drill *drill;		  /* while its deployment is followed */
	char refresh[64];		  /* the newest one when the drill began */
	enum outcome outcome;		  /* of its deployment */
	char reason[ROLLOUT_REASON_SIZE]; /* why it went back */
	bool deploying;
};

static bool is_known(const struct far *f, const char *id)
{
	for (size_t i = 0; i < f->known.len; i++)
		if (strcmp(f->known.ptr[i], id) == 0)
			return true;
	return false;
}

/* A deployment is one of the drill's only when its refresh has begun since. New instances are young by our clock, whatever AWS's says. */
static void model(const struct far *f, const struct asg_group *g, const struct asg_refresh *r,
		  struct group *ret)
{
	bool ours = r->id[0] && f->refresh[0] && strcmp(r->id, f->refresh) != 0;

	aws_fleet_group(g, r, f->image, ret);
	if (ours)
		ret->deployment.number = 1;
	else
		ret->deployment.outcome = OUTCOME_NONE;
	if (ours && f->outcome != OUTCOME_NONE) {
		ret->deployment.outcome = f->outcome;
		rollout_copy(ret->deployment.reason, sizeof(ret->deployment.reason), f->reason);
	}
	for (size_t i = 0; i < ret->count && f->drill; i++)
		if (!is_known(f, ret->instances[i].id))
			ret->instances[i].born = f->drill->started + 1;
}

/* Three calls, and one for 100 instances that are new. */
static int read_all(struct far *f, struct asg_group *g, struct asg_refresh *r, struct error *err)
{
	char number[ASG_VERSION_SIZE];
	int e;

	if ((e = asg_refresh_read(f->a, f->group, r, err)) < 0 ||
	    (e = asg_read(f->a, f->group, g, err)) < 0 || (e = asg_read_targets(f->a, g, err)) < 0)
		return e;
	asg_carry(&f->last, g);
	if ((e = asg_read_instances(f->a, g, err)) < 0)
		return e;
	if (g->template_id[0] && strcmp(g->version, f->version) != 0) {
		e = asg_template_read(f->a, g->template_id, g->version, f->image, number, err);
		if (e < 0)
			return e;
		memcpy(f->version, g->version, sizeof(f->version));
	}
	return 0;
}

static int look(void *data, struct group *ret, struct error *err)
{
	struct far *f = data;
	struct asg_group g = {0};
	struct asg_refresh r = {0};
	int e = read_all(f, &g, &r, err);

	if (e < 0) {
		asg_group_free(&g);
		return e;
	}
	asg_group_free(&f->last);
	f->last = g;
	if (!f->refresh[0])
		snprintf(f->refresh, sizeof(f->refresh), "%s", r.id[0] ? r.id : "none");
	model(f, &g, &r, ret);
	return 0;
}

static int prepare(void *data, enum drill_kind kind, const struct group *g, char ret[ROLLOUT_IMAGE_SIZE],
		   struct error *err)
{
	struct far *f = data;
	const char *image = drill_image_of(f->o, kind);

	if (kind != DRILL_BAD_IMAGE && kind != DRILL_TAMPERED && kind != DRILL_CRASH_LOOP)
		image = NULL;
	if (image && strcmp(image, g->current) == 0)
		return error_set(err, -EINVAL, "%s is the image that group '%s' runs: say another one", image,
				 g->name);
	rollout_copy(ret, ROLLOUT_IMAGE_SIZE, image ? image : "");
	strlist_free(&f->known);
	for (size_t i = 0; i < g->count; i++)
		strlist_add(&f->known, g->instances[i].id);
	return 0;
}

/* Each look of the deployment. */
static void observe(void *data, const struct asg_group *g, const struct asg_refresh *r)
{
	struct far *f = data;
	_cleanup_group_ struct group now = {0};
	struct asg_group seen = *g;

	/* Which image, by the version of the template: no further call. */
	seen.list = xmemdup(g->list, g->len * sizeof(*g->list));
	for (size_t i = 0; i < seen.len; i++)
		rollout_copy(seen.list[i].image, EC2_ID_SIZE,
			     strcmp(seen.list[i].version, f->version) == 0 ? f->image : f->drill->image);
	model(f, &seen, r, &now);
	free(seen.list);
	(void)drill_observe(f->drill, &now, group_now());
}

static struct aws_group_options deployment(struct far *f)
{
	return (struct aws_group_options){.group = f->group,
					  .region = f->o->region,
					  .profile = f->o->profile,
					  .endpoint_url = f->o->endpoint_url,
					  .plan = ROLLOUT_PLAN_DEFAULT,
					  .interval = f->o->interval,
					  .unverified = true,
					  .quiet = true};
}

/* It was taken for a good one: the group must not stay so. */
static int bring_back(struct far *f, struct error *err)
{
	struct aws_group_options o = deployment(f);

	log_warning("%s was deployed and not found to be bad: back to %s", f->drill->image,
		    f->drill->current);
	return aws_group_deploy(&o, f->drill->current, err);
}

static int deploy(struct far *f, struct drill *d, struct error *err)
{
	struct aws_group_options o = deployment(f);
	const char *why;
	int r;

	f->deploying = true;
	o.plan.deadline = d->deadline;
	o.watcher = observe;
	o.watcher_data = f;
	r = aws_group_deploy(&o, d->image, err);
	if (r < 0 && err->exit != EXIT_ROLLED_BACK)
		return r;
	f->outcome = r < 0 ? OUTCOME_ROLLED_BACK : OUTCOME_DEPLOYED;
	if (r == 0) {
		r = bring_back(f, err);
	} else {
		why = strstr(err->text, "rolled back: ");
		rollout_copy(f->reason, sizeof(f->reason), why ? why : err->text);
		*err = ERROR_INIT;
		r = 0;
	}
	f->deploying = r < 0;
	return r;
}

static int act(void *data, struct drill *d, enum drill_action action, struct error *err)
{
	struct far *f = data;

	f->drill = d;
	switch (action) {
	case DRILL_STRIKE:
		log_note("%s: its power is taken", d->victim);
		return asg_strike(f->a, d->victim, err);
	case DRILL_CONDEMN:
		log_note("%s: said to be unhealthy", d->victim);
		return asg_condemn(f->a, d->victim, err);
	case DRILL_EXPIRE:
		log_note("%s: its lifetime is over", d->victim);
		return asg_replace(f->a, d->victim, err);
	case DRILL_DEPLOY:
		return deploy(f, d, err);
	case DRILL_WAIT:
		break;
	}
	return 0;
}

static int wait_a_turn(void *data, struct error *err)
{
	const struct far *f = data;

	return aws_wait_a_turn(f->o->interval, err);
}

static int64_t now(void *data)
{
	(void)data;
	return group_now();
}

static int keep(void *data, const struct drill *d, struct error *err)
{
	struct far *f = data;
	_cleanup_free_ char *key = xasprintf(GROUP_TAG_DRILL_PREFIX "%s", drill_name(d->kind));
	char value[DRILL_HISTORY_SIZE];
	const struct aws_tag tag = {key, value};

	f->drill = NULL;
	f->refresh[0] = 0;
	f->outcome = OUTCOME_NONE;
	f->reason[0] = 0;
	drill_history_text(d, group_now(), value);
	return asg_set_tags(f->a, f->group, &tag, 1, err);
}

/* A refresh to an image that is known to be bad does not go on without us. The signal is taken back for the calls, and given again. */
static int interrupted(void *data, const struct drill *d, struct error *err)
{
	struct far *f = data;
	struct error failure = ERROR_INIT;
	struct asg_refresh r = {0};
	int number = interrupt_signal(), e = 0;
	bool back = f->deploying;

	interrupt_clear();
	if (back)
		e = asg_refresh_read(f->a, f->group, &r, &failure);
	if (e == 0 && back && asg_refresh_runs(&r) && strcmp(r.status, "RollbackInProgress") != 0)
		e = asg_refresh_rollback(f->a, f->group, &failure);
	if (number)
		(void)raise(number);
	if (e < 0)
		return error_set(
			err, -EINTR,
			"interrupted in drill %s; group '%s' may go on to %s: mkappliance rollback (%.300s)",
			drill_name(d->kind), f->group, d->image, failure.text);
	return error_set(
		err, -EINTR,
		"interrupted in drill %s: group '%s' %s (mkappliance status --group %s --to aws --watch)",
		drill_name(d->kind), f->group, back ? "is rolled back" : "replaces by itself what is missing",
		f->group);
}

static void close_far(void *data)
{
	struct far *f = data;

	asg_group_free(&f->last);
	strlist_free(&f->known);
	aws_close(f->a);
	free(f->group);
	free(f);
}

/* A group that could not recover, or is not as it should be, is left alone. */
static int refuse(const struct asg_group *g, const struct asg_refresh *r, struct error *err)
{
	static const char *const needed[] = {"Launch", "Terminate", "HealthCheck", "ReplaceUnhealthy",
					     "AddToLoadBalancer"};

	if (!asg_allows_drills(g))
		return error_set(err, -EPERM,
				 "group '%s' is not one for drills: it has no tag " ASG_TAG_DRILL
				 "=" ASG_DRILL_ALLOWED,
				 g->name);
	if (g->deleting)
		return error_set(err, -EBUSY, "group '%s' is being deleted", g->name);
	if (asg_refresh_runs(r))
		return error_set(err, -EBUSY, "group '%s': instance refresh %s is %s: no drill", g->name,
				 r->id, r->status);
	for (size_t i = 0; i < g->suspended.len; i++)
		for (size_t k = 0; k < sizeof(needed) / sizeof(needed[0]); k++)
			if (strcmp(g->suspended.ptr[i], needed[k]) == 0)
				return error_set(
					err, -EINVAL,
					"group '%s': the process %s is suspended: it would not recover",
					g->name, needed[k]);
	if (g->mixed || !g->template_id[0])
		return error_set(err, -ENOTSUP, "group '%s' has %s; drill needs a launch template of its own",
				 g->name, g->mixed ? "a mixed-instances policy" : "no launch template");
	return 0;
}

static int open_far(struct far *f, struct error *err)
{
	const struct drill_options *o = f->o;
	const struct aws_options options = {
		.config = {o->profile, o->region, o->endpoint_url}, .connections = 4, .buffer = 65536};
	_cleanup_json_ struct json *beside = NULL;
	_cleanup_asg_ struct asg_group g = {0};
	struct asg_refresh r = {0};
	int e;

	if ((e = aws_open(&options, &f->a, err)) < 0 ||
	    (e = aws_set_live(f->a, o->group, &f->group, &beside, err)) < 0)
		return e;
	if (js_array_len(beside) > 0)
		return error_set(
			err, -EBUSY,
			"group '%s' has a second one beside it: no drill before its deployment is over",
			f->group);
	if ((e = asg_read(f->a, f->group, &g, err)) < 0 ||
	    (e = asg_refresh_read(f->a, f->group, &r, err)) < 0)
		return e;
	return refuse(&g, &r, err);
}

int drill_ground_aws(const struct drill_options *o, struct drill_ground *ret, struct error *err)
{
	struct far *f = xcalloc(1, sizeof(*f));
	int r;

	f->o = o;
	r = open_far(f, err);
	if (r < 0) {
		close_far(f);
		return r;
	}
	*ret = (struct drill_ground){
		.stage = {.look = look, .act = act, .wait = wait_a_turn, .now = now, .data = f},
		.name = o->group,
		.url = o->url ? xstrdup(o->url) : NULL,
		.lends = true,
		.prepare = prepare,
		.keep = keep,
		.interrupted = interrupted,
		.close = close_far};
	return 0;
}
