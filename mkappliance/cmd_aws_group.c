/* SPDX-License-Identifier: Apache-2.0 */
/* A rolling deployment to a group of AWS: what is begun, and what came of it; declared in cmd_aws_group.h. */
#include "cmd_aws_group.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "cmd_aws_internal.h"
#include "cmd_aws_set.h"
#include "lib/cleanup.h"
#include "lib/hash.h"
#include "lib/log.h"

int aws_group_choose(const struct aws_group_options *o, const char *to, struct error *err)
{
	if (to && strcmp(to, "aws") == 0)
		return o->group && *o->group ? 1 : error_usage(err, "missing argument: --group=NAME");
	if (to && strcmp(to, "libvirt") != 0)
		return error_usage(err, "--to: unknown provider '%s': libvirt, aws", to);
	if (o->region || o->profile || o->endpoint_url)
		return error_usage(err, "--region, --profile and --endpoint-url are for --to=aws");
	return 0;
}

const char *aws_group_previous(const struct aws_tags *tags, const char *current)
{
	static const char *const keys[] = {GROUP_TAG_PREVIOUS, GROUP_TAG_BEFORE};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *image = aws_tags_get(tags, keys[i]);

		if (image && *image && strcmp(image, current) != 0)
			return image;
	}
	return NULL;
}

static int open_session(const struct aws_group_options *o, struct aws **ret, struct error *err)
{
	const struct aws_options options = {
		.config = {o->profile, o->region, o->endpoint_url}, .connections = 4, .buffer = 65536};

	return aws_open(&options, ret, err);
}

/* Whether what is running is ours: begun for the same image, by this command or by one that was killed. */
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

static int start(struct pursuit *p, const struct asg_group *g, struct error *err)
{
	const struct asg_preferences prefs = {
		.min_healthy = p->o->plan.min_healthy,
		.max_healthy = p->o->plan.max_healthy,
		.checkpoint = g->desired > 1 ? p->o->plan.checkpoint : 0,
		.first_percent = 100 / g->desired ? 100 / g->desired : 1,
		.bake = p->o->plan.bake,
		.warmup = p->o->instance_warmup,
		.warms_up = p->o->warms_up,
		.alarms = &p->o->alarms,
		.auto_rollback = true,
	};
	struct asg_refresh running = {0};
	struct error ignored = ERROR_INIT;
	bool ours = false;
	int r = asg_refresh_start(p->a, g->name, g->template_id, p->target, &prefs, p->refresh, err);

	/* The answer may have got lost, and the second attempt met the first one's work. */
	if (r == 0 || r == -EINTR || asg_refresh_read(p->a, g->name, &running, &ignored) < 0 ||
	    adopt(p, g, &running, &ours, &ignored) < 0 || !ours)
		return r;
	return 0;
}

/* Written before it begins: whoever comes after a kill finds them. */
static int write_tags(const struct pursuit *p, const struct asg_group *g, struct error *err)
{
	const struct aws_tag tags[] = {{GROUP_TAG_PREVIOUS, p->current},
				       {GROUP_TAG_BEFORE, p->before},
				       {ASG_TAG_DRILL, ASG_DRILL_ALLOWED}};

	return asg_set_tags(p->a, g->name, tags, p->o->allow_drill ? 3 : 2, err);
}

/* After a way back the previous image is again what it was; aws_group_previous() would know it without that, others would not. */
static void restore_tags(const struct pursuit *p)
{
	const struct aws_tag tags[] = {{GROUP_TAG_PREVIOUS, p->before}, {GROUP_TAG_BEFORE, ""}};
	struct error err = ERROR_INIT;

	if (asg_set_tags(p->a, p->group, tags, 2, &err) < 0)
		log_warning("%s", err.text);
}

/* The same group, image and source make the same version: one that was killed here finds it again. */
int aws_add_version(struct pursuit *p, const struct asg_group *g, struct error *err)
{
	_cleanup_free_ char *text = xasprintf("%s %s %s %s", g->name, g->template_id, p->source, p->image);
	struct sha256 digest;
	char token[SHA256_HEX_SIZE];

	sha256_of(text, strlen(text), &digest);
	hex_encode(digest.b, SHA256_SIZE, token);
	return asg_template_add(p->a, g->template_id, p->source, p->image, token, p->target, err);
}

int aws_read_current(struct pursuit *p, const struct asg_group *g, struct asg_template *ret,
		     struct error *err)
{
	const char *previous;
	int r;

	if (!g->template_id[0])
		return error_set(
			err, -ENOTSUP,
			"group '%s' has no launch template; deploy needs one with a launch template of its own",
			g->name);
	r = asg_template_describe(p->a, g->template_id, g->version, ret, err);
	if (r < 0)
		return r;
	memcpy(p->current, ret->image, sizeof(p->current));
	memcpy(p->source, ret->number, sizeof(p->source));
	previous = aws_group_previous(&g->tags, p->current);
	snprintf(p->before, sizeof(p->before), "%s", previous ? previous : "");
	return 0;
}

/* 'rollback' while a deployment is under way: to where that came from. */
static int stop_running(struct pursuit *p, const struct asg_group *g, const struct asg_refresh *running,
			struct error *err)
{
	p->going_back = p->asked_back = true;
	snprintf(p->reason, sizeof(p->reason), "asked for");
	memcpy(p->target, running->version, sizeof(p->target));
	log_note("refresh %s is under way: back to %s", running->id, p->current);
	return strcmp(running->status, "RollbackInProgress") == 0 ? 0
								  : asg_refresh_rollback(p->a, g->name, err);
}

/* Whether a refresh that runs was begun by 'deploy'. */
static bool is_deployment(const struct pursuit *p, const struct asg_group *g, const struct asg_refresh *r)
{
	const char *from = aws_tags_get(&g->tags, GROUP_TAG_PREVIOUS);

	return asg_refresh_runs(r) && r->version[0] && from && strcmp(from, p->current) == 0;
}

void aws_list_types(const struct asg_group *g, const char *type, struct strlist *ret)
{
	if (type[0])
		strlist_add(ret, type);
	for (size_t i = 0; i < g->len; i++) {
		bool there = !g->list[i].type[0];

		for (size_t k = 0; k < ret->len; k++)
			there |= strcmp(ret->ptr[k], g->list[i].type) == 0;
		if (!there)
			strlist_add(ret, g->list[i].type);
	}
}

int aws_look_ahead(const struct pursuit *p, struct asg_group *g, struct error *err)
{
	char failure[ASG_REASON_SIZE];
	int r = asg_read_targets(p->a, g, err);

	if (r == 0)
		r = asg_last_failure(p->a, g->name, "9", failure, err);
	return r < 0 ? r : aws_check_healthy(g, &p->o->plan, err);
}

/* Whether something is there that is not what its own template says: a deployment that somebody broke off. */
static bool has_drifted(const struct pursuit *p, const struct asg_group *g)
{
	for (size_t i = 0; i < g->len; i++)
		if (strncmp(g->list[i].lifecycle, "Terminat", 8) != 0 &&
		    (strcmp(g->list[i].version, p->source) != 0 ||
		     strcmp(g->list[i].template_id, g->template_id) != 0))
			return true;
	return false;
}

/* The group's template has the image already. What runs something else is replaced; else there is nothing to do. */
static int straighten(struct pursuit *p, struct asg_group *g, struct error *err)
{
	const struct asg_preferences prefs = {.min_healthy = p->o->plan.min_healthy,
					      .max_healthy = p->o->plan.max_healthy};
	int r;

	memcpy(p->target, p->source, sizeof(p->target));
	p->was_there = !has_drifted(p, g);
	if (p->was_there) {
		log_note("group '%s' runs %s already", g->name, p->image);
		return 0;
	}
	log_note("group '%s' is at %s, some of its instances are not: they are replaced", g->name, p->image);
	r = aws_look_ahead(p, g, err);
	return r < 0 ? r : asg_refresh_start(p->a, g->name, NULL, NULL, &prefs, p->refresh, err);
}

/* Ends with a refresh under way, or p->was_there. Without an image in @p: to the previous one. */
static int prepare(struct pursuit *p, struct asg_group *g, struct error *err)
{
	_cleanup_strlist_ struct strlist types = {0};
	struct asg_refresh running = {0};
	struct asg_template now = {0};
	bool ours = false, wanted = p->image[0];
	int r = 0;

	if (g->template_id[0] && (r = aws_read_current(p, g, &now, err)) < 0)
		return r;
	if (!wanted)
		memcpy(p->image, p->before, sizeof(p->image));
	if ((r = asg_refresh_read(p->a, g->name, &running, err)) < 0 ||
	    (g->template_id[0] && (r = adopt(p, g, &running, &ours, err)) < 0))
		return r;
	if (!ours)
		memcpy(p->earlier, running.id, sizeof(p->earlier));
	if (!wanted && is_deployment(p, g, &running))
		return stop_running(p, g, &running, err);
	if (ours)
		memset(&running, 0, sizeof(running));
	if ((r = aws_check_group(g, &running, err)) < 0)
		return r;
	if (ours) {
		log_note("going on with the refresh that is under way");
		return 0;
	}
	if (!p->image[0])
		return error_set(err, -ENOENT,
				 "group '%s' has no tag " GROUP_TAG_PREVIOUS
				 ": no previous image; name one (--image)",
				 g->name);
	if (!aws_group_is_image(p->image))
		return error_set(err, -EINVAL,
				 "group '%s': its tag " GROUP_TAG_PREVIOUS
				 " names '%s', which is no AMI's id; name one (--image)",
				 g->name, p->image);
	if (strcmp(p->current, p->image) == 0)
		return straighten(p, g, err);
	aws_list_types(g, now.type, &types);
	if ((!p->o->unverified && (r = aws_check_way_back(p->a, g, p->current, err)) < 0) ||
	    (r = aws_check_image(p->a, p->image, p->o->unverified, &types, p->current, err)) < 0 ||
	    (r = aws_look_ahead(p, g, err)) < 0 || (r = aws_add_version(p, g, err)) < 0 ||
	    (r = write_tags(p, g, err)) < 0)
		return r;
	return start(p, g, err);
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

static int roll(struct pursuit *p, struct asg_group *g, bool *ret_there, struct error *err)
{
	int r;

	p->group = g->name;
	r = prepare(p, g, err);
	if (r == 0 && p->was_there)
		*ret_there = true;
	else if (r == 0)
		r = aws_follow(p, ret_there, err);
	if (r == 0 && !*ret_there)
		restore_tags(p);
	return r;
}

/* To what was there before: the group beside it, or the image by the tags. */
static int go_back(struct pursuit *p, struct aws_set *s, bool *ret_there, struct error *err)
{
	struct asg_template now;
	int r;

	p->asked_back = s->next || (s->old && !s->old->deleting);
	if (s->next) {
		r = aws_read_current(p, s->live, &now, err);
		return r < 0 ? r : aws_swap_remove_next(p, s, err);
	}
	if (p->asked_back)
		return aws_swap_back(p, s, err);
	if (s->old && (r = aws_swap_drop_old(p, s, err)) < 0)
		return r;
	return roll(p, s->live, ret_there, err);
}

static int move_group(struct pursuit *p, bool *ret_there, struct error *err)
{
	_cleanup_set_ struct aws_set s = {0};
	int r = aws_set_read(p->a, p->o->group, &s, err);

	if (r == -ENOENT && p->image[0])
		return error_set(err, r, "there is no Auto Scaling group '%s' in %s; --create makes one",
				 p->o->group, aws_region(p->a));
	if (r < 0)
		return r;
	p->group = s.live->name;
	if (!p->image[0])
		return go_back(p, &s, ret_there, err);
	if (p->o->blue_green)
		return aws_swap_deploy(p, &s, ret_there, err);
	if (s.next || s.old)
		return error_set(
			err, -EBUSY,
			"group '%s': a blue-green deployment is not over, '%s' is there beside '%s'; the same "
			"command with --strategy blue-green ends it, or 'mkappliance rollback'",
			s.name, (s.next ? s.next : s.old)->name, s.live->name);
	return roll(p, s.live, ret_there, err);
}

int aws_group_deploy(const struct aws_group_options *o, const char *image, struct error *err)
{
	_cleanup_aws_ struct aws *a = NULL;
	struct pursuit p = {.o = o, .start_ns = clock_ns()};
	bool there = false;
	int r;

	if ((r = aws_check_plan(&o->plan, err)) < 0 || (r = open_session(o, &a, err)) < 0 ||
	    (image && (r = aws_group_image(a, image, p.image, err)) < 0))
		return r;
	p.a = a;
	if (o->create) {
		r = aws_create(&p, err);
		there = r == 0;
	} else {
		r = move_group(&p, &there, err);
	}
	free(p.list);
	if (r == 0)
		r = print_result(&p, there, err);
	if (r < 0 || there || p.asked_back)
		return r;
	r = error_set(err, -EIO, "group '%s': rolled back: %s", o->group, p.reason);
	err->exit = EXIT_ROLLED_BACK;
	return r;
}
