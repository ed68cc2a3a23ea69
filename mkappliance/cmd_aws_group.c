/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_aws_group.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cloud/aws_upload.h"
#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/hash.h"
#include "lib/interrupt.h"
#include "lib/log.h"

#define TURN_MS 200

/* A new instance as we have followed it. */
struct followed {
	char id[EC2_ID_SIZE];
	uint64_t first_ns;
	bool is_new;
	bool seen;    /* at the last look */
	bool healthy; /* was, once */
	bool failed;  /* counted */
	char said[80];
};

/* A deployment as it goes. */
struct pursuit {
	const struct aws_group_options *o;
	struct aws *a;
	const char *image;
	char current[EC2_ID_SIZE];     /* image of the group before */
	char source[ASG_VERSION_SIZE]; /* version of the template before, a number */
	char target[ASG_VERSION_SIZE];
	struct followed *list;
	size_t len, cap;
	unsigned failures;
	bool going_back;
	uint64_t start_ns;
	char phase[32];
	char reason[ASG_REASON_SIZE];
};

bool aws_group_is_image(const char *text)
{
	return strncmp(text, "ami-", 4) == 0 && text[4] && !text[4 + strspn(text + 4, "0123456789abcdef")];
}

int aws_group_choose(const struct aws_group_options *o, const char *to, struct error *err)
{
	if (to && strcmp(to, "aws") == 0)
		return o->group ? 1 : error_usage(err, "missing argument: --group=NAME");
	if (to && strcmp(to, "libvirt") != 0)
		return error_usage(err, "--to: unknown provider '%s': libvirt, aws", to);
	if (o->region || o->profile || o->endpoint_url)
		return error_usage(err, "--region, --profile and --endpoint-url are for --to=aws");
	return 0;
}

static int open_session(const struct aws_group_options *o, struct aws **ret, struct error *err)
{
	const struct aws_options options = {
		.config = {o->profile, o->region, o->endpoint_url}, .connections = 4, .buffer = 65536};

	return aws_open(&options, ret, err);
}

/* What cannot be brought back, or cannot be judged, is not begun. */
static int refuse_group(const struct asg_group *g, const struct asg_refresh *running, struct error *err)
{
	static const char *const needed[] = {"Launch", "Terminate", "HealthCheck", "ReplaceUnhealthy",
					     "AddToLoadBalancer"};

	if (g->deleting)
		return error_set(err, -EBUSY, "group '%s' is being deleted", g->name);
	if (g->mixed || !g->template_id[0])
		return error_set(err, -ENOTSUP,
				 "group '%s' has %s; deploy needs a launch template of its own", g->name,
				 g->mixed ? "a mixed-instances policy" : "no launch template");
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
			"image would not be noticed",
			g->name, g->health_type, g->target_groups.len);
	if (!g->desired)
		return error_set(err, -EINVAL, "group '%s' has a desired capacity of 0", g->name);
	for (size_t i = 0; i < g->suspended.len; i++)
		for (size_t k = 0; k < sizeof(needed) / sizeof(needed[0]); k++)
			if (strcmp(g->suspended.ptr[i], needed[k]) == 0)
				return error_set(err, -EINVAL, "group '%s': the process %s is suspended",
						 g->name, needed[k]);
	if (asg_refresh_runs(running))
		return error_set(err, -EBUSY, "group '%s': instance refresh %s is %s, and not of this image",
				 g->name, running->id, running->status);
	return 0;
}

static const struct ec2_image *one_image(struct aws *a, const char *id, struct ec2_images *list,
					 struct error *err)
{
	return ec2_describe_images(a, &(const struct ec2_search){.id = id}, list, err) < 0 ? NULL
											   : &list->list[0];
}

/* An image that is there, proved, and fit for the instances that the group has. */
static int check_image(const struct pursuit *p, struct error *err)
{
	_cleanup_images_ struct ec2_images new = {0}, old = {0};
	const struct ec2_image *n = one_image(p->a, p->image, &new, err), *was;
	const char *state;
	struct error ignored = ERROR_INIT;

	if (!n)
		return err->code;
	if (strcmp(n->state, "available") != 0)
		return error_set(err, -EINVAL, "%s is %s%s%s, not available", p->image, n->state,
				 n->reason ? ": " : "", n->reason ? n->reason : "");
	state = aws_tags_get(&n->tags, TAG_STATE);
	if (!p->o->unverified && (!state || strcmp(state, "ready") != 0))
		return error_refuse(err,
				    "%s is not an image that 'mkappliance upload' has proved (tag " TAG_STATE
				    "); --unverified deploys it all the same",
				    p->image);
	was = one_image(p->a, p->current, &old, &ignored);
	if (was && strcmp(was->architecture, n->architecture) != 0)
		return error_set(err, -EINVAL, "%s is for %s, the group's instances are %s", p->image,
				 n->architecture, was->architecture);
	if (was && n->boot_mode[0] && was->boot_mode[0] && strcmp(was->boot_mode, n->boot_mode) != 0)
		return error_set(err, -EINVAL, "%s boots by %s, the group's image %s by %s", p->image,
				 n->boot_mode, p->current, was->boot_mode);
	return 0;
}

static int wait_a_turn(const struct pursuit *p, struct error *err)
{
	uint64_t ms = p->o->interval ? p->o->interval * 1000ull : TURN_MS;

	return interrupt_sleep(ms * 1000000, err);
}

static struct followed *follow_instance(struct pursuit *p, const char *id)
{
	for (size_t i = 0; i < p->len; i++)
		if (strcmp(p->list[i].id, id) == 0)
			return &p->list[i];
	array_grow(p->list, p->len, p->cap);
	p->list[p->len] = (struct followed){.first_ns = clock_ns()};
	snprintf(p->list[p->len].id, EC2_ID_SIZE, "%s", id);
	return &p->list[p->len++];
}

static void fail(struct pursuit *p, struct followed *f, const char *why, const char *what)
{
	f->failed = true;
	p->failures++;
	snprintf(p->reason, sizeof(p->reason), "%s %s%s%.100s", f->id, what, why[0] ? ": " : "", why);
	log_note("%s", p->reason);
}

/* One of the new ones: a line when it is not as it was, and whether it has failed. */
static void judge_instance(struct pursuit *p, const struct asg_instance *i)
{
	struct followed *f = follow_instance(p, i->id);
	bool is_new = strcmp(i->version, p->target) == 0;
	bool healthy = strcmp(i->target, "healthy") == 0 && strcmp(i->health, "Healthy") == 0;
	char now[sizeof(f->said)];

	snprintf(now, sizeof(now), "%.30s %.20s", i->lifecycle, i->target);
	if (strcmp(now, f->said) != 0)
		log_note("%s  %s  version %s  %-11s  %-9s  %6.1f s  %s", i->id,
			 is_new ? p->image : p->current, i->version, i->lifecycle, i->target,
			 (double)(clock_ns() - f->first_ns) / 1e9, i->reason);
	memcpy(f->said, now, sizeof(now));
	f->is_new = is_new;
	f->seen = true;
	if (!is_new || f->failed || p->going_back)
		return;
	if (strncmp(i->lifecycle, "Terminat", 8) == 0)
		fail(p, f, i->reason, "was ended by the group");
	else if (f->healthy && strcmp(i->target, "unhealthy") == 0)
		fail(p, f, i->reason, "is not healthy any more");
	else if (!f->healthy && !healthy && clock_ns() - f->first_ns > p->o->plan.warmup * 1000000000ull)
		fail(p, f, i->reason, "did not become healthy in time");
	f->healthy |= healthy;
}

/* One that was there and is not any more has failed, if it was new. */
static void judge_all(struct pursuit *p, const struct asg_group *g)
{
	for (size_t i = 0; i < p->len; i++)
		p->list[i].seen = false;
	for (size_t i = 0; i < g->len; i++)
		judge_instance(p, &g->list[i]);
	for (size_t i = 0; i < p->len && !p->going_back; i++)
		if (p->list[i].is_new && !p->list[i].seen && !p->list[i].failed)
			fail(p, &p->list[i], "", "is gone");
}

static bool is_whole(const struct asg_group *g)
{
	unsigned n = 0;

	for (size_t i = 0; i < g->len; i++)
		n += strcmp(g->list[i].lifecycle, "InService") == 0;
	return n >= g->desired;
}

/* Fewer serve than there should be: perhaps none can be launched. */
static int look_for_launches(struct pursuit *p, const struct asg_refresh *refresh, struct error *err)
{
	char failure[ASG_REASON_SIZE];
	int r = asg_last_failure(p->a, p->o->group, refresh->started, failure, err);

	if (r == 0 && failure[0] && p->failures <= p->o->plan.failures) {
		p->failures = p->o->plan.failures + 1;
		snprintf(p->reason, sizeof(p->reason), "launch failed: %.150s", failure);
	}
	return r;
}

/* One look at group, targets and refresh. */
static int look(struct pursuit *p, struct asg_refresh *refresh, struct error *err)
{
	_cleanup_asg_ struct asg_group g = {0};
	int r;

	if ((r = asg_refresh_read(p->a, p->o->group, refresh, err)) < 0 ||
	    (r = asg_read(p->a, p->o->group, &g, err)) < 0 || (r = asg_read_targets(p->a, &g, err)) < 0)
		return r;
	if (strcmp(refresh->status, p->phase) != 0)
		log_note("refresh %s: %s, %u %%%s%s", refresh->id, refresh->status, refresh->percent,
			 refresh->reason[0] ? ": " : "", refresh->reason);
	memcpy(p->phase, refresh->status, sizeof(p->phase));
	if (p->o->watcher)
		p->o->watcher(p->o->watcher_data, &g, refresh);
	judge_all(p, &g);
	return p->going_back || is_whole(&g) ? 0 : look_for_launches(p, refresh, err);
}

/* A refresh that is neither here nor there: to what the group's own template still says. */
static int start_back(struct pursuit *p, struct error *err)
{
	const struct asg_preferences prefs = {.min_healthy = p->o->plan.min_healthy,
					      .max_healthy = p->o->plan.max_healthy};

	p->going_back = true;
	log_note("back to %s (version %s): %s", p->current, p->source, p->reason);
	return asg_refresh_start(p->a, p->o->group, NULL, NULL, &prefs, err);
}

static int turn_back(struct pursuit *p, struct error *err)
{
	log_note("rolling back to %s: %s", p->current, p->reason);
	p->going_back = true;
	return asg_refresh_rollback(p->a, p->o->group, err);
}

/* Ends with 0 when the refresh has; @ret_there: at the new image. */
static int pursue(struct pursuit *p, bool *ret_there, struct error *err)
{
	for (;;) {
		struct asg_refresh now = {0};
		bool late = clock_ns() - p->start_ns >
			    p->o->plan.deadline * (p->going_back ? 2 : 1) * 1000000000ull;
		int r = look(p, &now, err);

		if (r < 0)
			return r;
		if (strcmp(now.status, "Successful") == 0 || strcmp(now.status, "RollbackSuccessful") == 0) {
			*ret_there = !p->going_back && strcmp(now.status, "Successful") == 0;
			if (!*ret_there && !p->reason[0])
				snprintf(p->reason, sizeof(p->reason), "%s",
					 now.reason[0] ? now.reason : "the group went back by itself");
			return 0;
		}
		if (!asg_refresh_runs(&now)) {
			if (p->going_back)
				return error_set(err, -EIO, "group '%s': refresh %s: %s: %s", p->o->group,
						 now.id, now.status, now.reason);
			if (!p->reason[0])
				snprintf(p->reason, sizeof(p->reason), "refresh %s: %.100s", now.status,
					 now.reason);
			r = start_back(p, err);
		} else if (strcmp(now.status, "RollbackInProgress") == 0) {
			p->going_back = true;
		} else if (!p->going_back && (late || p->failures > p->o->plan.failures)) {
			if (late)
				snprintf(p->reason, sizeof(p->reason), "not done within %u s",
					 p->o->plan.deadline);
			r = turn_back(p, err);
		}
		if (r == 0 && late && p->going_back)
			return error_set(err, -ETIMEDOUT, "group '%s': not back within %u s: %s", p->o->group,
					 2 * p->o->plan.deadline, p->reason);
		if (r == 0)
			r = wait_a_turn(p, err);
		if (r < 0)
			return r;
	}
}

static int begin(struct pursuit *p, const struct asg_group *g, struct error *err)
{
	const struct aws_tag tag = {GROUP_TAG_PREVIOUS, p->current};
	const struct asg_preferences prefs = {
		.min_healthy = p->o->plan.min_healthy,
		.max_healthy = p->o->plan.max_healthy,
		.checkpoint = g->desired > 1 ? p->o->plan.checkpoint : 0,
		.first_percent = 100 / g->desired ? 100 / g->desired : 1,
		.bake = p->o->plan.bake,
		.auto_rollback = true,
	};
	int r = asg_set_tags(p->a, g->name, &tag, 1, err);

	return r < 0 ? r : asg_refresh_start(p->a, g->name, g->template_id, p->target, &prefs, err);
}

/* The same group, image and source make the same version: one that was killed here finds it again. */
static int add_version(struct pursuit *p, const struct asg_group *g, struct error *err)
{
	_cleanup_free_ char *text = xasprintf("%s %s %s %s", g->name, g->template_id, p->source, p->image);
	struct sha256 digest;
	char token[SHA256_HEX_SIZE];

	sha256_of(text, strlen(text), &digest);
	hex_encode(digest.b, SHA256_SIZE, token);
	return asg_template_add(p->a, g->template_id, p->source, p->image, token, p->target, err);
}

/* Whether what is running is ours: begun for the same image by one that was killed. */
static int adopt(struct pursuit *p, const struct asg_group *g, const struct asg_refresh *running, bool *ret,
		 struct error *err)
{
	char image[EC2_ID_SIZE] = "";
	int r = 0;

	*ret = false;
	if (!asg_refresh_runs(running) || !running->version[0])
		return 0;
	r = asg_template_read(p->a, g->template_id, running->version, image, p->target, err);
	*ret = r == 0 && strcmp(image, p->image) == 0;
	return r;
}

static int prepare(struct pursuit *p, const struct asg_group *g, struct error *err)
{
	struct asg_refresh running = {0};
	const char *previous = aws_tags_get(&g->tags, GROUP_TAG_PREVIOUS);
	bool ours = false;
	int r;

	if (!p->image && !previous)
		return error_set(err, -ENOENT,
				 "group '%s' has no tag " GROUP_TAG_PREVIOUS ": no previous image", g->name);
	p->image = p->image ? p->image : previous;
	if ((r = asg_refresh_read(p->a, g->name, &running, err)) < 0 ||
	    (g->template_id[0] && (r = adopt(p, g, &running, &ours, err)) < 0))
		return r;
	if (ours)
		memset(&running, 0, sizeof(running));
	if ((r = refuse_group(g, &running, err)) < 0 ||
	    (r = asg_template_read(p->a, g->template_id, g->version, p->current, p->source, err)) < 0)
		return r;
	if (ours) {
		log_note("going on with the refresh that is under way");
		return 0;
	}
	if (strcmp(p->current, p->image) == 0)
		return error_set(err, -EALREADY, "group '%s' runs %s already", g->name, p->image);
	if ((r = check_image(p, err)) < 0 || (r = add_version(p, g, err)) < 0)
		return r;
	return begin(p, g, err);
}

static int print_result(const struct pursuit *p, bool there, struct error *err)
{
	_cleanup_json_ struct json *j = NULL;

	if (!p->o->json) {
		if (!p->o->quiet)
			printf("%s: %s (version %s), %.1f s\n", p->o->group, there ? p->image : p->current,
			       there ? p->target : p->source, (double)(clock_ns() - p->start_ns) / 1e9);
		return 0;
	}
	j = js_object_new();
	js_set_string(j, "group", p->o->group);
	js_set_string(j, "provider", "aws");
	js_set_string(j, "outcome", outcome_name(there ? OUTCOME_DEPLOYED : OUTCOME_ROLLED_BACK));
	js_set_string(j, "image", there ? p->image : p->current);
	js_set_string(j, "template_version", there ? p->target : p->source);
	js_set_string(j, "reason", there ? NULL : p->reason);
	js_set_real(j, "seconds", (double)(clock_ns() - p->start_ns) / 1e9);
	return cmd_print_json(j, err);
}

int aws_group_deploy(const struct aws_group_options *o, const char *image, struct error *err)
{
	_cleanup_aws_ struct aws *a = NULL;
	_cleanup_asg_ struct asg_group g = {0};
	struct pursuit p = {.o = o, .image = image, .start_ns = clock_ns()};
	bool there = false;
	int r;

	if ((r = open_session(o, &a, err)) < 0 || (r = asg_read(a, o->group, &g, err)) < 0)
		return r;
	p.a = a;
	r = prepare(&p, &g, err);
	if (r == 0) {
		r = pursue(&p, &there, err);
		free(p.list);
		if (r == -EINTR)
			return error_set(
				err, r, "interrupted; the refresh goes on (mkappliance status, or rollback)");
	}
	if (r == 0)
		r = print_result(&p, there, err);
	if (r < 0 || there)
		return r;
	r = error_set(err, -EIO, "group '%s': rolled back: %s", o->group, p.reason);
	err->exit = EXIT_ROLLED_BACK;
	return r;
}
