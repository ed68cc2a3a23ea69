/* SPDX-License-Identifier: Apache-2.0 */
/* 'status' of a group of AWS; declared in cmd_aws_group.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "cmd_aws_fleet.h"
#include "cmd_aws_group.h"
#include "cmd_aws_set.h"
#include "cmd_look.h"
#include "lib/cleanup.h"
#include "rollout/drill_history.h"

#define NAMED_MAX 8 /* of those that drift, in one line */

struct status {
	const struct aws_group_options *o;
	struct aws *a;
	char *live;	     /* the Auto Scaling group that goes by the name now */
	struct json *beside; /* what a blue-green deployment that is not over has beside it */
	struct asg_group last;
	struct asg_refresh refresh;
	char *no_refresh;	   /* why that is not known; NULL: it is */
	char of[ASG_VERSION_SIZE]; /* the version that was asked for */
	char image[EC2_ID_SIZE], version[ASG_VERSION_SIZE];
};

/* What it has that is not the group's: another template, version or image; NULL: nothing. What a refresh under way makes is no drift. */
static char *drift_of(const struct status *s, const struct asg_instance *i)
{
	if (asg_refresh_runs(&s->refresh) && s->refresh.version[0] &&
	    strcmp(i->version, s->refresh.version) == 0)
		return NULL;
	if (!s->last.template_id[0])
		return NULL; /* nothing says what it should be */
	if (strcmp(i->template_id, s->last.template_id) != 0)
		return xasprintf("launch template %s", i->template_id[0] ? i->template_id : "unknown");
	if (i->image[0] && strcmp(i->image, s->image) != 0)
		return xasprintf("image %s of version %s", i->image, i->version);
	if (strcmp(i->version, s->version) != 0)
		return xasprintf("template version %s", i->version);
	return NULL;
}

static void add_drift(const struct status *s, struct look *l)
{
	_cleanup_buf_ struct buf names = {0};
	size_t n = 0;

	for (size_t i = 0; i < s->last.len; i++) {
		_cleanup_free_ char *drift = drift_of(s, &s->last.list[i]);

		if (drift && n++ < NAMED_MAX)
			buf_printf(&names, "%s%s", n > 1 ? ", " : "", s->last.list[i].id);
	}
	if (n)
		look_head(l,
			  xasprintf("drift: %zu of %zu instances: %s%s", n, s->last.len, names.ptr,
				    n > NAMED_MAX ? ", ..." : ""),
			  NULL);
}

static void add_beside(const struct status *s, struct look *l)
{
	for (size_t i = 0; i < js_array_len(s->beside); i++) {
		const struct json *j = js_array_get(s->beside, i);
		int64_t instances = 0, kept = 0;
		struct buf line = {0};

		(void)js_int(js_member(j, "instances"), &instances);
		(void)js_int(js_member(j, "kept_for"), &kept);
		buf_printf(&line, "beside it: %s (%s), image %s, %d instances",
			   js_string(js_member(j, "group")), js_string(js_member(j, "role")),
			   js_string(js_member(j, "image")), (int)instances);
		if (kept)
			buf_printf(&line, ", kept for another %d s", (int)kept);
		look_head(l, buf_steal(&line), NULL);
	}
}

static void add_head(const struct status *s, struct look *l)
{
	const struct asg_group *g = &s->last;
	const struct asg_refresh *r = &s->refresh;
	const char *previous = aws_group_previous(&g->tags, s->image);

	if (g->template_id[0])
		look_head(l,
			  xasprintf("%s: %u of %u serve; image %s, version %s of %s%s", g->name,
				    asg_count_serving(g), g->desired, s->image, s->version, g->template_id,
				    g->mixed ? ", a mixed-instances policy" : ""),
			  NULL);
	else
		look_head(l,
			  xasprintf("%s: %u of %u serve; no launch template", g->name, asg_count_serving(g),
				    g->desired),
			  NULL);
	if (previous)
		look_head(l, xasprintf("previous image: %s", previous), NULL);
	if (r->id[0])
		look_head(l,
			  xasprintf("last refresh: %s, begun %s%s%s: %s, %u %%%s%s", r->id, r->started,
				    r->ended[0] ? ", ended " : "", r->ended, r->status, r->percent,
				    r->reason[0] ? ": " : "", r->reason),
			  NULL);
	if (s->no_refresh)
		look_head(l, xasprintf("last refresh: not known: %s", s->no_refresh), NULL);
	add_drift(s, l);
	add_beside(s, l);
}

static void add_row(const struct status *s, const struct asg_instance *i, struct look *l)
{
	_cleanup_free_ char *drift = drift_of(s, i);
	char *text = xasprintf("%-20s  %-22s  %-7s  %-11s  %-9s  %-19.19s  %s%s%s%s", i->id, i->image,
			       i->version, i->lifecycle, i->target[0] ? i->target : i->health, i->launched,
			       drift ? "DRIFT: " : "", drift ? drift : "", drift && i->reason[0] ? "; " : "",
			       i->reason);

	look_row(l, i->id, text, NULL, drift || !asg_serves(i));
}

/* The last drill of each kind, from the group's tags. */
static struct json *last_drills(const struct status *s, struct look *l)
{
	struct json *list = js_array_new();

	for (int k = 0; k < DRILL_KINDS; k++) {
		const char *name = drill_name((enum drill_kind)k);
		_cleanup_free_ char *key = xasprintf(GROUP_TAG_DRILL_PREFIX "%s", name);
		const char *value = aws_tags_get(&s->last.tags, key);
		struct drill_history h;

		if (!value || !drill_history_parse(value, &h))
			continue;
		look_head(l, drill_history_line(name, &h), NULL);
		js_append(list, drill_history_json(name, &h));
	}
	return list;
}

static struct json *refresh_json(const struct status *s)
{
	const struct asg_refresh *r = &s->refresh;
	struct json *j = js_object_new();

	js_set_string(j, "id", r->id);
	js_set_string(j, "status", r->status);
	js_set_string(j, "reason", r->reason);
	js_set_string(j, "started", r->started);
	js_set_string(j, "ended", r->ended[0] ? r->ended : NULL);
	js_set_int(j, "percent", r->percent);
	if (s->no_refresh)
		js_set_string(j, "error", s->no_refresh);
	return j;
}

static struct json *instance_json(const struct status *s, const struct asg_instance *i)
{
	_cleanup_free_ char *drift = drift_of(s, i);
	struct json *n = js_object_new();

	js_set_string(n, "id", i->id);
	js_set_string(n, "image", i->image);
	js_set_string(n, "template_version", i->version);
	js_set_string(n, "type", i->type);
	js_set_string(n, "zone", i->zone);
	js_set_string(n, "lifecycle", i->lifecycle);
	js_set_string(n, "health", i->health);
	js_set_string(n, "target", i->target);
	js_set_string(n, "reason", i->reason);
	js_set_string(n, "launched", i->launched);
	js_set_bool(n, "serves", asg_serves(i));
	js_set_bool(n, "drift", drift);
	js_set_string(n, "drift_reason", drift);
	return n;
}

static struct json *status_json(const struct status *s)
{
	const struct asg_group *g = &s->last;
	struct json *j = js_object_new(), *list = js_array_new();

	js_set_string(j, "group", g->name);
	js_set_string(j, "provider", "aws");
	js_set_int(j, "desired", g->desired);
	js_set_int(j, "serving", asg_count_serving(g));
	js_set_bool(j, "drill_allowed", asg_allows_drills(g));
	js_set_string(j, "image", s->image);
	js_set_string(j, "template", g->template_id);
	js_set_string(j, "template_version", s->version);
	js_set_string(j, "previous", aws_group_previous(&g->tags, s->image));
	js_set(j, "refresh", refresh_json(s));
	for (size_t k = 0; k < g->len; k++)
		js_append(list, instance_json(s, &g->list[k]));
	js_set(j, "instances", list);
	js_set(j, "beside", js_share(s->beside));
	return j;
}

/* What is shown though the refresh cannot be read: a right that is missing, a service that has none. */
static int read_refresh(struct status *s, struct error *err)
{
	static const struct retry_policy soon = {
		.attempts = 3, .throttled = 30, .base_ms = 200, .cap_ms = 2000};
	struct error why = ERROR_INIT;
	int r;

	aws_set_policy(s->a, &soon);
	r = asg_refresh_read(s->a, s->live, &s->refresh, &why);
	aws_set_policy(s->a, NULL);
	free(s->no_refresh);
	s->no_refresh = NULL;
	if (r == -EINTR)
		return error_set(err, r, "%s", why.text);
	if (r < 0) {
		s->refresh = (struct asg_refresh){0};
		s->no_refresh = xstrdup(why.text);
	}
	return 0;
}

/* Again only while a blue-green deployment is not over: it is two calls more. */
static int find_live(struct status *s, struct error *err)
{
	struct json *beside = NULL;
	char *live = NULL;
	int r;

	if (s->live && !js_array_len(s->beside))
		return 0;
	r = aws_set_live(s->a, s->o->group, &live, &beside, err);
	if (r < 0)
		return r;
	free(s->live);
	js_free(s->beside);
	s->live = live;
	s->beside = beside;
	return 0;
}

/* Images of instances never change, nor does that of a version: only what is new is asked for. */
static int read_all(struct status *s, struct asg_group *g, struct error *err)
{
	int r;

	if ((r = find_live(s, err)) < 0 || (r = read_refresh(s, err)) < 0 ||
	    (r = asg_read(s->a, s->live, g, err)) < 0 || (r = asg_read_targets(s->a, g, err)) < 0)
		return r;
	asg_carry(&s->last, g);
	if ((r = asg_read_instances(s->a, g, err)) < 0)
		return r;
	if (g->template_id[0] && (g->version[0] == '$' || strcmp(g->version, s->of) != 0))
		r = asg_template_read(s->a, g->template_id, g->version, s->image, s->version, err);
	memcpy(s->of, g->version, sizeof(s->of));
	return r;
}

static int look(void *data, bool json, struct look *ret, struct error *err)
{
	struct status *s = data;
	struct asg_group g = {0};
	struct look l = {0};
	struct json *drills;
	int r = read_all(s, &g, err);

	if (r < 0) {
		asg_group_free(&g);
		return r;
	}
	asg_group_free(&s->last);
	s->last = g;
	if (!json)
		add_head(s, &l);
	drills = last_drills(s, &l);
	l.columns = xasprintf("%-20s  %-22s  %-7s  %-11s  %-9s  %-19s  %s", "ID", "IMAGE", "VERSION", "STATE",
			      "HEALTH", "SINCE", "WHY");
	for (size_t k = 0; k < g.len && !json; k++)
		add_row(s, &g.list[k], &l);
	if (json) {
		l.json = status_json(s);
		js_set(l.json, "drills", drills);
	} else {
		js_free(drills);
	}
	*ret = l;
	return 0;
}

int aws_group_status(const struct aws_group_options *o, unsigned watch, struct error *err)
{
	const struct aws_options options = {
		.config = {o->profile, o->region, o->endpoint_url}, .connections = 4, .buffer = 65536};
	_cleanup_aws_ struct aws *a = NULL;
	struct status s = {.o = o};
	const struct look_source source = {look, &s};
	int r = aws_open(&options, &a, err);

	if (r < 0)
		return r;
	s.a = a;
	r = look_show(&source, watch, AWS_GROUP_INTERVAL, o->json, err);
	asg_group_free(&s.last);
	js_free(s.beside);
	free(s.live);
	free(s.no_refresh);
	return r;
}
