/* SPDX-License-Identifier: Apache-2.0 */
#include "rollout/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/io.h"

#define JOURNAL_MAX ((size_t)4 << 20)
#define TIME_MAX    ((int64_t)1 << 53)

static const struct plan_field {
	const char *name;
	size_t offset;
} plan_fields[] = {
	{"min_healthy", offsetof(struct rollout_plan, min_healthy)},
	{"max_healthy", offsetof(struct rollout_plan, max_healthy)},
	{"checkpoint", offsetof(struct rollout_plan, checkpoint)},
	{"bake", offsetof(struct rollout_plan, bake)},
	{"warmup", offsetof(struct rollout_plan, warmup)},
	{"deadline", offsetof(struct rollout_plan, deadline)},
	{"drain", offsetof(struct rollout_plan, drain)},
	{"failures", offsetof(struct rollout_plan, failures)},
	{"max_lifetime", offsetof(struct rollout_plan, max_lifetime)},
};

#define PLAN_FIELDS (sizeof(plan_fields) / sizeof(plan_fields[0]))

struct json *rollout_plan_json(const struct rollout_plan *p)
{
	struct json *j = js_object_new();

	for (size_t i = 0; i < PLAN_FIELDS; i++) {
		unsigned v = *(const unsigned *)(const void *)((const char *)p + plan_fields[i].offset);

		if (v != ROLLOUT_UNSET)
			js_set_int(j, plan_fields[i].name, v);
	}
	return j;
}

int rollout_plan_parse(const struct json *j, struct rollout_plan *ret, struct error *err)
{
	for (size_t i = 0; i < PLAN_FIELDS; i++) {
		int64_t v;
		int r;

		if (!js_member(j, plan_fields[i].name))
			continue;
		r = js_need_int(j, plan_fields[i].name, 0, 1000000000, &v, err);
		if (r < 0)
			return r;
		*(unsigned *)(void *)((char *)ret + plan_fields[i].offset) = (unsigned)v;
	}
	return 0;
}

static struct json *instance_json(const struct instance *i)
{
	struct json *j = js_object_new();

	js_set_string(j, "id", i->id);
	js_set_string(j, "image", i->image);
	js_set_string(j, "lifecycle", lifecycle_name(i->lifecycle));
	js_set_string(j, "health", health_name(i->health));
	js_set_string(j, "reason", i->reason);
	js_set_bool(j, "condemned", i->condemned);
	js_set_bool(j, "expired", i->expired);
	js_set_bool(j, "hard", i->hard);
	js_set_bool(j, "attached", i->attached);
	js_set_int(j, "tries", i->tries);
	js_set_int(j, "born", i->born);
	js_set_int(j, "changed", i->changed);
	js_set_int(j, "health_since", i->health_since);
	js_set_int(j, "served", (int64_t)i->served);
	return j;
}

static struct json *deployment_json(const struct deployment *d)
{
	struct json *j = js_object_new();

	js_set_int(j, "number", d->number);
	js_set_string(j, "phase", phase_name(d->phase));
	js_set_string(j, "outcome", outcome_name(d->outcome));
	js_set_string(j, "from", d->from);
	js_set_string(j, "to", d->to);
	js_set_int(j, "started", d->started);
	js_set_int(j, "changed", d->changed);
	js_set_int(j, "ended", d->ended);
	js_set_int(j, "failures", d->failures);
	js_set_int(j, "lowest", d->lowest);
	js_set_bool(j, "at_once", d->at_once);
	js_set_string(j, "reason", d->reason);
	return j;
}

struct json *group_json(const struct group *g)
{
	struct json *j = js_object_new(), *instances = js_array_new(), *history = js_array_new();

	js_set_int(j, "format", JOURNAL_FORMAT);
	js_set_string(j, "name", g->name);
	js_set_int(j, "size", g->size);
	js_set_bool(j, "drill", g->drill);
	js_set(j, "plan", rollout_plan_json(&g->plan));
	js_set_string(j, "current", g->current);
	js_set_string(j, "previous", g->previous);
	for (size_t i = 0; i < g->count; i++)
		js_append(instances, instance_json(&g->instances[i]));
	js_set(j, "instances", instances);
	js_set_int(j, "next_id", g->next_id);
	js_set_int(j, "strikes", g->strikes);
	js_set_int(j, "hold_until", g->hold_until);
	js_set(j, "deployment", deployment_json(&g->deployment));
	for (size_t i = 0; i < g->history_count; i++)
		js_append(history, deployment_json(&g->history[i]));
	js_set(j, "history", history);
	js_set_string(j, "request", g->request);
	js_set_string(j, "refusal", g->refusal);
	return j;
}

/* A string that must fit. */
static int need_text(const struct json *j, const char *name, char *to, size_t size, struct error *err)
{
	const char *s = NULL;
	int r = js_need_string(j, name, &s, err);

	if (r < 0)
		return r;
	if (strlen(s) >= size)
		return error_set(err, -EINVAL, "'%s' is longer than %zu bytes", name, size - 1);
	rollout_copy(to, size, s);
	return 0;
}

static int need_number(const struct json *j, const char *name, unsigned *ret, struct error *err)
{
	int64_t v = 0;
	int r = js_need_int(j, name, 0, 1000000000, &v, err);

	*ret = (unsigned)v;
	return r;
}

static int need_time(const struct json *j, const char *name, int64_t *ret, struct error *err)
{
	return js_need_int(j, name, 0, TIME_MAX, ret, err);
}

static int need_flag(const struct json *j, const char *name, bool *ret, struct error *err)
{
	if (!js_bool(js_member(j, name), ret))
		return error_set(err, -EINVAL, "'%s' is not true or false", name);
	return 0;
}

/* One of the words that @word gives for 0 to @last. */
static int need_word(const struct json *j, const char *name, const char *(*word)(unsigned n), unsigned last,
		     unsigned *ret, struct error *err)
{
	const char *s = NULL;
	int r = js_need_string(j, name, &s, err);

	if (r < 0)
		return r;
	for (unsigned n = 0; n <= last; n++)
		if (strcmp(s, word(n)) == 0) {
			*ret = n;
			return 0;
		}
	return error_set(err, -EINVAL, "'%s': unknown word '%s'", name, s);
}

static const char *lifecycle_word(unsigned n)
{
	return lifecycle_name((enum lifecycle)n);
}

static const char *health_word(unsigned n)
{
	return health_name((enum health)n);
}

static const char *phase_word(unsigned n)
{
	return phase_name((enum phase)n);
}

static const char *outcome_word(unsigned n)
{
	return outcome_name((enum outcome)n);
}

static int parse_instance(const struct json *j, struct instance *ret, struct error *err)
{
	struct instance i = {0};
	unsigned lifecycle = 0, health = 0;
	int64_t served = 0;
	int r;

	if ((r = need_text(j, "id", i.id, sizeof(i.id), err)) < 0 ||
	    (r = need_text(j, "image", i.image, sizeof(i.image), err)) < 0 ||
	    (r = need_word(j, "lifecycle", lifecycle_word, INSTANCE_STOPPING, &lifecycle, err)) < 0 ||
	    (r = need_word(j, "health", health_word, HEALTH_BAD, &health, err)) < 0 ||
	    (r = need_text(j, "reason", i.reason, sizeof(i.reason), err)) < 0 ||
	    (r = need_flag(j, "condemned", &i.condemned, err)) < 0 ||
	    (r = need_flag(j, "expired", &i.expired, err)) < 0 ||
	    (r = need_flag(j, "hard", &i.hard, err)) < 0 ||
	    (r = need_flag(j, "attached", &i.attached, err)) < 0 ||
	    (r = need_number(j, "tries", &i.tries, err)) < 0 ||
	    (r = need_time(j, "born", &i.born, err)) < 0 ||
	    (r = need_time(j, "changed", &i.changed, err)) < 0 ||
	    (r = need_time(j, "health_since", &i.health_since, err)) < 0 ||
	    (r = need_time(j, "served", &served, err)) < 0)
		return r;
	if (!i.id[0])
		return error_set(err, -EINVAL, "an instance without an id");
	i.lifecycle = (enum lifecycle)lifecycle;
	i.health = (enum health)health;
	i.served = (uint64_t)served;
	*ret = i;
	return 0;
}

static int parse_deployment(const struct json *j, struct deployment *ret, struct error *err)
{
	struct deployment d = {0};
	unsigned phase = 0, outcome = 0;
	int r;

	if ((r = need_number(j, "number", &d.number, err)) < 0 ||
	    (r = need_word(j, "phase", phase_word, PHASE_BACK, &phase, err)) < 0 ||
	    (r = need_word(j, "outcome", outcome_word, OUTCOME_GAVE_UP, &outcome, err)) < 0 ||
	    (r = need_text(j, "from", d.from, sizeof(d.from), err)) < 0 ||
	    (r = need_text(j, "to", d.to, sizeof(d.to), err)) < 0 ||
	    (r = need_time(j, "started", &d.started, err)) < 0 ||
	    (r = need_time(j, "changed", &d.changed, err)) < 0 ||
	    (r = need_time(j, "ended", &d.ended, err)) < 0 ||
	    (r = need_number(j, "failures", &d.failures, err)) < 0 ||
	    (r = need_number(j, "lowest", &d.lowest, err)) < 0 ||
	    (js_member(j, "at_once") && (r = need_flag(j, "at_once", &d.at_once, err)) < 0) ||
	    (r = need_text(j, "reason", d.reason, sizeof(d.reason), err)) < 0)
		return r;
	d.phase = (enum phase)phase;
	d.outcome = (enum outcome)outcome;
	if ((d.phase != PHASE_NONE && !d.to[0]) || (d.phase == PHASE_BACK && !d.from[0]))
		return error_set(err, -EINVAL, "deployment %u has no image to go to", d.number);
	*ret = d;
	return 0;
}

static int parse_lists(const struct json *j, struct group *g, struct error *err)
{
	const struct json *instances = js_member(j, "instances"), *history = js_member(j, "history");
	int r = 0;

	if (!js_is_array(instances) || !js_is_array(history) ||
	    js_array_len(instances) > 4 * GROUP_SIZE_MAX || js_array_len(history) > GROUP_HISTORY_MAX)
		return error_set(err, -EINVAL, "'instances' or 'history' is not a list, or too long");
	for (size_t i = 0; i < js_array_len(instances) && r == 0; i++) {
		struct instance n;

		r = parse_instance(js_array_get(instances, i), &n, err);
		if (r == 0 && group_find(g, n.id))
			r = error_set(err, -EINVAL, "instance '%s' is there twice", n.id);
		if (r < 0)
			return error_prefix(err, "instances[%zu]", i);
		array_grow(g->instances, g->count, g->cap);
		g->instances[g->count++] = n;
	}
	for (size_t i = 0; i < js_array_len(history); i++) {
		struct deployment d;

		if (parse_deployment(js_array_get(history, i), &d, err) < 0)
			return error_prefix(err, "history[%zu]", i);
		array_grow(g->history, g->history_count, g->history_cap);
		g->history[g->history_count++] = d;
	}
	return 0;
}

int group_parse(const struct json *j, const char *name, struct group *ret, struct error *err)
{
	_cleanup_group_ struct group g = {.plan = ROLLOUT_PLAN_DEFAULT};
	int64_t format = 0;
	int r;

	if ((r = js_need_int(j, "format", JOURNAL_FORMAT, JOURNAL_FORMAT, &format, err)) < 0 ||
	    (r = need_text(j, "name", g.name, sizeof(g.name), err)) < 0 ||
	    (r = need_number(j, "size", &g.size, err)) < 0 ||
	    (r = need_flag(j, "drill", &g.drill, err)) < 0 ||
	    (r = rollout_plan_parse(js_member(j, "plan"), &g.plan, err)) < 0 ||
	    (r = rollout_plan_check(&g.plan, g.size, err)) < 0 ||
	    (r = need_text(j, "current", g.current, sizeof(g.current), err)) < 0 ||
	    (r = need_text(j, "previous", g.previous, sizeof(g.previous), err)) < 0 ||
	    (r = need_number(j, "next_id", &g.next_id, err)) < 0 ||
	    (r = need_number(j, "strikes", &g.strikes, err)) < 0 ||
	    (r = need_time(j, "hold_until", &g.hold_until, err)) < 0 ||
	    (r = parse_deployment(js_member(j, "deployment"), &g.deployment, err)) < 0 ||
	    (r = need_text(j, "request", g.request, sizeof(g.request), err)) < 0 ||
	    (r = need_text(j, "refusal", g.refusal, sizeof(g.refusal), err)) < 0 ||
	    (r = parse_lists(j, &g, err)) < 0)
		return error_prefix(err, "%s: not the state of a group", name);
	if (g.strikes > 16)
		return error_set(err, -EINVAL, "%s: not the state of a group: %u strikes", name, g.strikes);
	*ret = g;
	g = (struct group){0};
	return 0;
}

int journal_write(const char *path, const struct group *g, struct error *err)
{
	_cleanup_json_ struct json *j = group_json(g);
	_cleanup_free_ char *text = js_text(j, false);

	return output_write_file(path, text, strlen(text), err);
}

int journal_read(const char *path, struct group *ret, struct error *err)
{
	_cleanup_json_ struct json *j = NULL;
	_cleanup_buf_ struct buf b = {0};
	int r = io_read_file(AT_FDCWD, path, JOURNAL_MAX, &b, err);

	if (r == 0)
		r = js_parse(b.ptr ? b.ptr : "", b.len, path, &j, err);
	return r < 0 ? r : group_parse(j, path, ret, err);
}
