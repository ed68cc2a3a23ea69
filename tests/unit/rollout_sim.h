/* SPDX-License-Identifier: Apache-2.0 */
/* A fleet that exists only in memory, with a clock of its own, for the tests of rollout/. */
#ifndef TESTS_UNIT_ROLLOUT_SIM_H
#define TESTS_UNIT_ROLLOUT_SIM_H

#include "unit.h"

#include <errno.h>

#include "rollout/controller.h"
#include "rollout/journal.h"

#define SIM_STEP_MS 500
#define SIM_BOOT_MS 6000
#define SIM_STOP_MS 1000
#define SIM_MAX	    1200

/* What an image of the simulation does is said by its name. */
#define SIM_NEVER  "never-ready"
#define SIM_DIES   "dies-after-20-s"
#define SIM_FLAPS  "flaps-every-5-s"
#define SIM_BREAKS "refused-at-once"

struct sim_instance {
	char id[ROLLOUT_ID_SIZE];
	char image[ROLLOUT_IMAGE_SIZE];
	int64_t born;
	int64_t stop_at; /* 0: not asked to */
	bool attached;
	bool killed;
};

struct sim {
	struct controller c;
	struct json *saved; /* what is on the disk */
	struct sim_instance list[SIM_MAX];
	size_t count;
	int64_t now;
	unsigned calls, reads, launches, attaches, drains, terminates;
	unsigned launch_fails; /* so many fail from now on */
	unsigned throttle;     /* one call in so many says -EAGAIN */
	unsigned crash_at;     /* the call after which the controller is dead; 0: never */
	bool crash_after;      /* its effect happens, the answer gets lost */
	bool dead;
	unsigned least_serving, most_total, most_fresh_at_checkpoint;
	char last_note[400];
};

/* Whether the call is to be followed; -EAGAIN once the controller is dead. */
static int sim_call(struct sim *s, bool *ret_effect)
{
	s->calls++;
	*ret_effect = !s->dead;
	if (s->dead)
		return -EAGAIN;
	if (s->crash_at && s->calls == s->crash_at) {
		s->dead = true;
		*ret_effect = s->crash_after;
		return -EAGAIN;
	}
	if (s->throttle && (s->calls * 2654435761u >> 16) % s->throttle == 0) {
		*ret_effect = false;
		return -EAGAIN;
	}
	return 0;
}

static struct sim_instance *sim_find(struct sim *s, const char *id)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->list[i].id, id) == 0)
			return &s->list[i];
	return NULL;
}

__attribute__((unused)) static void sim_kill(struct sim *s, const char *id)
{
	struct sim_instance *i = sim_find(s, id);

	if (!i)
		fail_msg("no instance %s", id);
	else
		i->killed = true;
}

static bool sim_ended(const struct sim *s, const struct sim_instance *i)
{
	return i->killed || (i->stop_at && s->now >= i->stop_at) || strcmp(i->image, SIM_BREAKS) == 0 ||
	       (strcmp(i->image, SIM_DIES) == 0 && s->now - i->born > 20000);
}

static enum health sim_health(const struct sim *s, const struct sim_instance *i)
{
	if (s->now - i->born < SIM_BOOT_MS || strcmp(i->image, SIM_NEVER) == 0)
		return HEALTH_UNKNOWN;
	if (strcmp(i->image, SIM_FLAPS) == 0 && (s->now - i->born) / 5000 % 2 == 0)
		return HEALTH_BAD;
	return HEALTH_GOOD;
}

static int sim_read(void *data, struct fleet_reading **ret, size_t *ret_count, struct error *err)
{
	struct sim *s = data;
	struct fleet_reading *list;
	bool effect;
	int r = sim_call(s, &effect);

	s->reads++;
	if (r < 0)
		return error_set(err, r, "throttled");
	list = xcalloc(s->count + 1, sizeof(*list));
	for (size_t i = 0; i < s->count; i++) {
		const struct sim_instance *n = &s->list[i];

		rollout_copy(list[i].id, sizeof(list[i].id), n->id);
		list[i].ended = sim_ended(s, n);
		list[i].health = sim_health(s, n);
		list[i].attached = n->attached;
		rollout_copy(list[i].reason, sizeof(list[i].reason), list[i].ended ? "powered off" : "HTTP");
	}
	*ret = list;
	*ret_count = s->count;
	return 0;
}

static int sim_launch(void *data, const char *id, const char *image, struct error *err)
{
	struct sim *s = data;
	bool effect;
	int r = sim_call(s, &effect);

	s->launches++;
	if (effect && s->launch_fails) {
		s->launch_fails--;
		return error_set(err, -ENOSPC, "no capacity");
	}
	if (effect && !sim_find(s, id)) {
		struct sim_instance *n = &s->list[s->count++];

		assert_true(s->count < SIM_MAX);
		*n = (struct sim_instance){.born = s->now};
		rollout_copy(n->id, sizeof(n->id), id);
		rollout_copy(n->image, sizeof(n->image), image);
	}
	return r < 0 ? error_set(err, r, "throttled") : 0;
}

static int sim_traffic(struct sim *s, const char *id, bool on, struct error *err)
{
	struct sim_instance *n = sim_find(s, id);
	bool effect;
	int r = sim_call(s, &effect);

	assert_non_null(n);
	if (effect)
		n->attached = on;
	return r < 0 ? error_set(err, r, "throttled") : 0;
}

static int sim_attach(void *data, const char *id, struct error *err)
{
	((struct sim *)data)->attaches++;
	return sim_traffic(data, id, true, err);
}

static int sim_drain(void *data, const char *id, struct error *err)
{
	((struct sim *)data)->drains++;
	return sim_traffic(data, id, false, err);
}

static int sim_terminate(void *data, const char *id, bool force, struct error *err)
{
	struct sim *s = data;
	struct sim_instance *n = sim_find(s, id);
	bool effect;
	int r = sim_call(s, &effect);

	s->terminates++;
	if (effect && n && (force || sim_ended(s, n)))
		*n = s->list[--s->count];
	else if (effect && n && !n->stop_at)
		n->stop_at = s->now + SIM_STOP_MS;
	return r < 0 ? error_set(err, r, "throttled") : 0;
}

static int sim_save(const struct group *g, void *data, struct error *err)
{
	struct sim *s = data;
	bool effect;
	int r = sim_call(s, &effect);

	if (effect) {
		js_free(s->saved);
		s->saved = group_json(g);
	}
	return r < 0 ? error_set(err, r, "no disk") : 0;
}

static void sim_note(const char *line, void *data)
{
	struct sim *s = data;

	rollout_copy(s->last_note, sizeof(s->last_note), line);
	if (getenv("SIM_VERBOSE"))
		print_message("%8.1f %s\n", (double)(s->now % 100000000) / 1000, line);
}

static void sim_open(struct sim *s, unsigned size)
{
	*s = (struct sim){.now = 1700000000000, .least_serving = ~0u};
	s->c = (struct controller){
		.group = {.size = size, .plan = ROLLOUT_PLAN_DEFAULT},
		.fleet = {.read = sim_read,
			  .launch = sim_launch,
			  .attach = sim_attach,
			  .drain = sim_drain,
			  .terminate = sim_terminate,
			  .data = s},
		.save = sim_save,
		.note = sim_note,
		.data = s,
	};
	rollout_copy(s->c.group.name, sizeof(s->c.group.name), "sim");
	s->saved = group_json(&s->c.group);
}

static void sim_close(struct sim *s)
{
	js_free(s->saved);
	group_free(&s->c.group);
}

/* Clients that get an answer now: of what has traffic and is well. */
static unsigned sim_serving(const struct sim *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s->count; i++)
		n += s->list[i].attached && !sim_ended(s, &s->list[i]) && !s->list[i].stop_at &&
		     sim_health(s, &s->list[i]) == HEALTH_GOOD;
	return n;
}

static unsigned sim_of_image(const struct sim *s, const char *image)
{
	unsigned n = 0;

	for (size_t i = 0; i < s->count; i++)
		n += strcmp(s->list[i].image, image) == 0;
	return n;
}

/* A successor reads what is on the disk. */
static void sim_restart(struct sim *s)
{
	struct error err = ERROR_INIT;

	group_free(&s->c.group);
	assert_int_equal(group_parse(s->saved, "saved", &s->c.group, &err), 0);
	s->dead = false;
	s->crash_at = 0;
}

static void sim_step(struct sim *s)
{
	struct error err = ERROR_INIT;
	unsigned serving;

	(void)controller_step(&s->c, s->now, &err);
	if (s->dead)
		sim_restart(s);
	serving = sim_serving(s);
	if (serving < s->least_serving)
		s->least_serving = serving;
	if (s->count > s->most_total)
		s->most_total = (unsigned)s->count;
	if (s->c.group.deployment.phase == PHASE_CHECKPOINT) {
		unsigned fresh = sim_of_image(s, s->c.group.deployment.to);

		if (fresh > s->most_fresh_at_checkpoint)
			s->most_fresh_at_checkpoint = fresh;
	}
	s->now += SIM_STEP_MS;
}

__attribute__((unused)) static void sim_run(struct sim *s, unsigned seconds)
{
	for (unsigned i = 0; i < seconds * 1000 / SIM_STEP_MS; i++)
		sim_step(s);
}

/* Until nothing is under way and nothing is going; then what was watched is forgotten. */
static enum outcome sim_settle(struct sim *s)
{
	for (unsigned i = 0; i < 20000; i++) {
		sim_step(s);
		if (s->c.group.deployment.phase == PHASE_NONE && s->count == s->c.group.count &&
		    (group_is_well(&s->c.group) || s->c.group.count == 0))
			return s->c.group.deployment.outcome;
	}
	fail_msg("does not settle: %s, %u instances, %u serve", phase_name(s->c.group.deployment.phase),
		 (unsigned)s->c.group.count, group_serving(&s->c.group));
	return OUTCOME_NONE;
}

static void sim_forget(struct sim *s)
{
	s->least_serving = ~0u;
	s->most_total = s->most_fresh_at_checkpoint = 0;
	s->calls = s->reads = s->launches = s->attaches = s->drains = s->terminates = 0;
}

static enum outcome sim_deploy(struct sim *s, const char *image)
{
	struct error err = ERROR_INIT;

	sim_forget(s);
	assert_int_equal(controller_deploy(&s->c, image, s->now, &err), 0);
	js_free(s->saved);
	s->saved = group_json(&s->c.group);
	return sim_settle(s);
}

#endif
