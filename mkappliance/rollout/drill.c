/* SPDX-License-Identifier: Apache-2.0 */
#include "rollout/drill.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"

static const struct {
	const char *name;
	const char *expectation;
	bool deploys;
	bool graceful; /* no request may be lost, and no more than the size be missing */
} kinds[DRILL_KINDS] = {
	[DRILL_TERMINATE] = {"terminate", "the machine is missed and replaced; the others serve", false,
			     false},
	[DRILL_UNHEALTHY] = {"unhealthy", "the machine is drained and replaced; no request is lost", false,
			     false},
	[DRILL_BAD_IMAGE] = {"bad-image", "the deployment is rolled back; no request is lost", true, true},
	[DRILL_TAMPERED] = {"tampered-image",
			    "the machine never becomes healthy nor serves a byte; rolled back", true, true},
	[DRILL_CRASH_LOOP] = {"crash-loop",
			      "each replacement is replaced, more and more slowly; the others serve", false,
			      false},
	[DRILL_LIFETIME] = {"lifetime", "the oldest is replaced first, and then goes; no request is lost",
			    false, true},
};

const char *drill_name(enum drill_kind kind)
{
	return kinds[kind].name;
}

const char *drill_expectation(const struct drill *d)
{
	if (d->victim_count > 1)
		return "one machine of each zone is missed and replaced; the others serve";
	if (d->kind == DRILL_CRASH_LOOP && d->image[0])
		return "machines of the image die; the deployment is rolled back, the others serve";
	if (d->kind == DRILL_LIFETIME && d->lends)
		return "the oldest is drained, goes and is replaced; no request is lost";
	return kinds[d->kind].expectation;
}

int drill_parse(const char *name, enum drill_kind *ret, struct error *err)
{
	_cleanup_buf_ struct buf all = {0};

	for (unsigned k = 0; k < DRILL_KINDS; k++) {
		if (strcmp(name, kinds[k].name) == 0) {
			*ret = (enum drill_kind)k;
			return 0;
		}
		buf_printf(&all, "%s%s", k ? ", " : "", kinds[k].name);
	}
	return error_usage(err, "unexpected argument '%s': not a kind of drill (%s)", name, all.ptr);
}

/* One that is the reason why the group is not well; NULL: there are too few. */
static const struct instance *lame(const struct group *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (!instance_serves(&g->instances[i]) || strcmp(g->instances[i].image, g->current) != 0)
			return &g->instances[i];
	return NULL;
}

int drill_check(const struct group *g, struct error *err)
{
	const struct instance *i;

	if (!g->drill)
		return error_set(err, -EPERM, "group '%s' is not one for drills (deploy --allow-drill)",
				 g->name);
	if (g->size == 0 || !g->current[0])
		return error_set(err, -EINVAL, "group '%s' has no machines", g->name);
	if (group_is_well(g))
		return 0;
	i = lame(g);
	return error_set(err, -EBUSY,
			 "group '%s' is degraded already: %u of %u serve, deployment: %s%s%s%s%s%s; no drill",
			 g->name, group_serving(g), g->size, phase_name(g->deployment.phase), i ? "; " : "",
			 i ? i->id : "",
			 !i		       ? ""
			 : !instance_serves(i) ? " does not"
					       : " has another image",
			 i && i->reason[0] ? ": " : "", i ? i->reason : "");
}

static const struct instance *oldest(const struct group *g)
{
	const struct instance *best = NULL;

	for (size_t i = 0; i < g->count; i++)
		if (!best || g->instances[i].born < best->born)
			best = &g->instances[i];
	return best;
}

/* The longest that the controller may take, and a minute for a slow host. */
static unsigned default_deadline(const struct drill *d, const struct rollout_plan *p)
{
	unsigned one = p->warmup + p->drain + 60;

	if (d->image[0])
		return 2 * one + p->checkpoint;
	return d->kind == DRILL_CRASH_LOOP ? one * (DRILL_CRASHES + 1) : one;
}

static bool has_victim_in(const struct drill *d, const struct group *g, const char *zone)
{
	for (unsigned v = 0; v < d->victim_count; v++) {
		const struct instance *i = group_find(g, d->victims[v]);

		if (i && strcmp(i->zone, zone) == 0)
			return true;
	}
	return false;
}

static void add_victim(struct drill *d, const struct instance *i)
{
	rollout_copy(d->victims[d->victim_count++], ROLLOUT_ID_SIZE, i->id);
}

/* The oldest of each zone that has no victim yet, one after the other. */
static int choose_in_zones(struct drill *d, const struct group *g, struct error *err)
{
	const struct instance *best;

	do {
		best = NULL;
		for (size_t i = 0; i < g->count; i++) {
			const struct instance *n = &g->instances[i];

			if (!has_victim_in(d, g, n->zone) && (!best || n->born < best->born))
				best = n;
		}
		if (best && d->victim_count < DRILL_ZONES)
			add_victim(d, best);
	} while (best && d->victim_count < DRILL_ZONES);
	if (d->victim_count < g->size)
		return 0;
	return error_set(err, -EINVAL, "group '%s': one in each zone are all %u that serve; it needs more",
			 g->name, g->size);
}

int drill_begin(struct drill *d, const struct drill_order *o, const struct group *g, int64_t now,
		struct error *err)
{
	struct drill n = {.kind = o->kind,
			  .size = g->size,
			  .deployment = g->deployment.number,
			  .started = now,
			  .lends = o->lends,
			  .lowest = group_serving(g)};
	const struct instance *victim = oldest(g);
	int r;

	rollout_copy(n.current, sizeof(n.current), g->current);
	if (o->image)
		rollout_copy(n.image, sizeof(n.image), o->image);
	else if (o->per_zone && (r = choose_in_zones(&n, g, err)) < 0)
		return r;
	else if (!o->per_zone && victim)
		add_victim(&n, victim);
	/* Where a new one is healthy before the old one goes, one is enough. */
	if (n.victim_count && n.victim_count >= g->size && !(kinds[n.kind].graceful && !n.lends))
		return error_set(
			err, -EINVAL,
			"group '%s' has no machine but %s: nobody would serve meanwhile; it needs two",
			g->name, n.victims[0]);
	rollout_copy(n.victim, sizeof(n.victim), n.victims[0]);
	n.deadline = o->deadline ? o->deadline : default_deadline(&n, &g->plan);
	*d = n;
	return 0;
}

/* The next one to crash: what replaces the last victim, as soon as it is started. */
static enum drill_action next_crash(struct drill *d, const struct group *g)
{
	if (d->crashes == 0) {
		d->crashes = 1;
		return DRILL_STRIKE;
	}
	for (size_t i = 0; i < g->count && d->crashes < DRILL_CRASHES; i++) {
		const struct instance *n = &g->instances[i];

		if (n->born < d->started ||
		    (n->lifecycle != INSTANCE_STARTING && n->lifecycle != INSTANCE_SERVING) ||
		    strcmp(n->id, d->victim) == 0)
			continue;
		d->victim_count = 0;
		add_victim(d, n);
		rollout_copy(d->victim, sizeof(d->victim), n->id);
		d->crashes++;
		return DRILL_STRIKE;
	}
	return DRILL_WAIT;
}

enum drill_action drill_action(struct drill *d, const struct group *g)
{
	static const enum drill_action actions[DRILL_KINDS] = {[DRILL_TERMINATE] = DRILL_STRIKE,
							       [DRILL_UNHEALTHY] = DRILL_CONDEMN,
							       [DRILL_LIFETIME] = DRILL_EXPIRE};

	if (d->image[0])
		return d->crashes++ ? DRILL_WAIT : DRILL_DEPLOY;
	if (d->kind == DRILL_CRASH_LOOP)
		return next_crash(d, g);
	if (d->crashes >= d->victim_count)
		return DRILL_WAIT;
	rollout_copy(d->victim, sizeof(d->victim), d->victims[d->crashes++]);
	return actions[d->kind];
}

/* Whether the controller has noticed: the victims go, or the deployment goes back. */
static bool is_detected(const struct drill *d, const struct group *g)
{
	if (d->image[0])
		return g->deployment.number > d->deployment &&
		       (g->deployment.phase == PHASE_BACK || g->deployment.outcome != OUTCOME_NONE);
	for (unsigned v = 0; v < d->victim_count; v++) {
		const struct instance *victim = group_find(g, d->victims[v]);

		if (victim && victim->lifecycle < INSTANCE_DRAINING && !victim->expired)
			return false;
	}
	return true;
}

static bool is_recovered(const struct drill *d, const struct group *g)
{
	if (!d->detected || !group_is_well(g))
		return false;
	for (unsigned v = 0; v < d->victim_count; v++)
		if (group_find(g, d->victims[v]))
			return false;
	return d->kind != DRILL_CRASH_LOOP || d->image[0] || d->crashes >= DRILL_CRASHES;
}

bool drill_observe(struct drill *d, const struct group *g, int64_t now)
{
	unsigned serving = group_serving(g);

	if (serving < d->lowest)
		d->lowest = serving;
	for (size_t i = 0; i < g->count && d->image[0]; i++) {
		const struct instance *n = &g->instances[i];

		if (strcmp(n->image, d->image) != 0)
			continue;
		d->was_healthy |= n->health == HEALTH_GOOD || n->lifecycle == INSTANCE_SERVING;
		if (n->served > d->served)
			d->served = n->served;
	}
	if (!d->detected && is_detected(d, g))
		d->detected = now;
	if (!d->recovered && is_recovered(d, g))
		d->recovered = now;
	return d->recovered || now - d->started > (int64_t)d->deadline * 1000;
}

static void say(struct drill *d, bool ok, const char *text)
{
	d->ok = ok;
	rollout_copy(d->detail, sizeof(d->detail), text);
}

void drill_judge(struct drill *d, const struct group *g)
{
	char text[ROLLOUT_REASON_SIZE];
	bool graceful = kinds[d->kind].graceful;
	unsigned missing = graceful && !(d->lends && d->victim_count) ? 0 : 1;

	if (d->victim_count > missing && missing)
		missing = d->victim_count;
	snprintf(text, sizeof(text), "%u s are over: %s", d->deadline,
		 d->detected ? "not recovered" : "not noticed");
	if (!d->recovered) {
		say(d, false, text);
	} else if (d->kind != DRILL_CRASH_LOOP && (d->was_healthy || d->served)) {
		snprintf(text, sizeof(text), "the image was %s (%ju bytes)", d->served ? "served" : "healthy",
			 (uintmax_t)d->served);
		say(d, false, text);
	} else if (d->image[0] && g->deployment.outcome != OUTCOME_ROLLED_BACK) {
		say(d, false, "the deployment was not rolled back");
	} else if (strcmp(g->current, d->current) != 0) {
		say(d, false, "the group runs another image than before");
	} else if (d->lowest + missing < d->size) {
		snprintf(text, sizeof(text), "only %u of %u served", d->lowest, d->size);
		say(d, false, text);
	} else if (d->lost && (graceful || d->kind == DRILL_UNHEALTHY)) {
		snprintf(text, sizeof(text), "%ju of %ju requests were lost", (uintmax_t)d->lost,
			 (uintmax_t)d->requests);
		say(d, false, text);
	} else {
		say(d, true, d->image[0] ? g->deployment.reason : "as expected");
	}
}

/* One action a look; but the machines of several zones at once. */
static int act(const struct drill_stage *s, struct drill *d, const struct group *g, struct error *err)
{
	enum drill_action action;
	int r;

	do {
		action = drill_action(d, g);
		r = action == DRILL_WAIT ? 0 : s->act(s->data, d, action, err);
	} while (r == 0 && d->kind == DRILL_TERMINATE && action != DRILL_WAIT);
	return r;
}

int drill_run(const struct drill_stage *s, struct drill *d, struct group *ret_end, struct error *err)
{
	for (;;) {
		_cleanup_group_ struct group g = {0};
		int r = s->look(s->data, &g, err);

		if (r == 0 && drill_observe(d, &g, s->now(s->data))) {
			*ret_end = g;
			g = (struct group){0};
			return 0;
		}
		if (r == 0)
			r = act(s, d, &g, err);
		if (r == 0)
			r = s->wait(s->data, err);
		if (r < 0)
			return r;
	}
}

double drill_detect_seconds(const struct drill *d)
{
	return d->detected ? (double)(d->detected - d->started) / 1000 : -1;
}

double drill_recover_seconds(const struct drill *d)
{
	return d->recovered ? (double)(d->recovered - d->started) / 1000 : -1;
}

struct json *drill_json(const struct drill *d)
{
	struct json *j = js_object_new();

	js_set_string(j, "drill", drill_name(d->kind));
	js_set_string(j, "expected", drill_expectation(d));
	js_set_bool(j, "ok", d->ok);
	js_set_string(j, "detail", d->detail);
	js_set_string(j, "instance", d->victim[0] ? d->victim : NULL);
	if (d->victim_count > 1) {
		struct json *list = js_array_new();

		for (unsigned v = 0; v < d->victim_count; v++)
			js_append_string(list, d->victims[v]);
		js_set(j, "instances", list);
	}
	js_set_string(j, "image", d->image[0] ? d->image : NULL);
	js_set_int(j, "started", d->started / 1000);
	js_set_int(j, "deadline", d->deadline);
	if (d->detected)
		js_set_real(j, "time_to_detect", drill_detect_seconds(d));
	if (d->recovered)
		js_set_real(j, "time_to_recover", drill_recover_seconds(d));
	js_set_int(j, "desired", d->size);
	js_set_int(j, "lowest_serving", d->lowest);
	if (d->measured) {
		js_set_int(j, "requests", (int64_t)d->requests);
		js_set_int(j, "requests_lost", (int64_t)d->lost);
	} else {
		js_set_string(j, "requests", NULL);
		js_set_string(j, "requests_lost", NULL);
	}
	return j;
}
