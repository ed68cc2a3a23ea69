/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from the group as it is: which instances come and go, where the deployment goes. */
#include <stdio.h>
#include <string.h>

#include "lib/mem.h"
#include "rollout/controller_internal.h"

/* The group, counted. */
struct census {
	unsigned total;	  /* all that exist, those that are going too */
	unsigned active;  /* pending, starting, serving */
	unsigned fresh;	  /* of these: of the wanted image, not condemned nor expired */
	unsigned serving; /* healthy ones with traffic */
	unsigned fresh_serving;
};

static bool is_active(const struct instance *i)
{
	return i->lifecycle <= INSTANCE_SERVING;
}

static bool is_fresh(const struct instance *i, const char *wanted)
{
	return !i->condemned && !i->expired && wanted[0] && strcmp(i->image, wanted) == 0;
}

static struct census count(const struct group *g)
{
	const char *wanted = group_wanted(g);
	struct census n = {0};

	for (size_t k = 0; k < g->count; k++) {
		const struct instance *i = &g->instances[k];
		bool fresh = is_active(i) && is_fresh(i, wanted);

		n.total++;
		n.active += is_active(i);
		n.fresh += fresh;
		n.serving += instance_serves(i);
		n.fresh_serving += fresh && instance_serves(i);
	}
	return n;
}

static void add(struct group *g, const char *image, int64_t now)
{
	struct instance i = {.born = now, .changed = now, .health_since = now};

	snprintf(i.id, sizeof(i.id), "i%u", ++g->next_id);
	rollout_copy(i.image, sizeof(i.image), image);
	array_grow(g->instances, g->count, g->cap);
	g->instances[g->count++] = i;
}

/* What one of them is replaced by that fails before the first new one has stood its test: the image that is known to work. */
static void launch_missing(struct group *g, int64_t now)
{
	const char *wanted = group_wanted(g);
	bool checkpoint = g->deployment.phase == PHASE_CHECKPOINT;
	unsigned limit = checkpoint && g->size ? 1 : g->size;
	struct census n = count(g);

	if (now < g->hold_until)
		return;
	for (; wanted[0] && n.fresh < limit && n.total < group_most(g); n = count(g))
		add(g, wanted, now);
	if (!checkpoint || !g->deployment.from[0])
		return;
	for (; n.active - n.fresh + n.fresh_serving < g->size && n.total < group_most(g); n = count(g))
		add(g, g->deployment.from, now);
}

/* The next of those that are not wanted: what does not serve first, then the oldest. */
static struct instance *next_stale(struct group *g)
{
	const char *wanted = group_wanted(g);
	struct instance *best = NULL;

	for (size_t k = 0; k < g->count; k++) {
		struct instance *i = &g->instances[k];

		if (!is_active(i) || is_fresh(i, wanted))
			continue;
		if (!best || (instance_serves(best) && !instance_serves(i)))
			best = i;
	}
	return best;
}

/* Old ones stay while the first new one is tried, unless there is no room for it beside them. */
static bool may_go(const struct group *g, const struct instance *i, const struct census *n)
{
	bool full = n->total >= group_most(g);

	if (!group_wanted(g)[0])
		return true; /* nothing is to run */
	if (i->condemned)
		return true;
	if (g->deployment.phase == PHASE_CHECKPOINT && !i->expired)
		return n->fresh == 0 && full && group_most(g) <= g->size &&
		       n->serving > rollout_plan_least(&g->plan, g->size);
	if (!instance_serves(i))
		return true;
	return n->serving > rollout_plan_least(&g->plan, g->size) && (n->active > g->size || full);
}

static void retire_stale(struct group *g, int64_t now)
{
	struct instance *i;

	while ((i = next_stale(g))) {
		struct census n = count(g);

		if (!may_go(g, i, &n))
			return;
		controller_dismiss(i, true, now);
	}
}

/* The group was made smaller: the oldest go. */
static void shrink(struct group *g, int64_t now)
{
	const char *wanted = group_wanted(g);
	struct census n = count(g);

	for (size_t k = 0; k < g->count && n.fresh > g->size; k++) {
		struct instance *i = &g->instances[k];

		if (!is_active(i) || !is_fresh(i, wanted))
			continue;
		controller_dismiss(i, true, now);
		n.fresh--;
	}
}

static void expire(struct group *g, int64_t now)
{
	for (size_t k = 0; k < g->count && g->plan.max_lifetime; k++)
		if (now - g->instances[k].born > (int64_t)g->plan.max_lifetime * 1000)
			g->instances[k].expired = true;
}

void controller_replace(struct controller *c, int64_t now)
{
	struct group *g = &c->group;

	expire(g, now);
	shrink(g, now);
	retire_stale(g, now);
	launch_missing(g, now);
}

static void finish(struct controller *c, enum outcome outcome, int64_t now)
{
	struct deployment *d = &c->group.deployment;

	d->phase = PHASE_NONE;
	d->outcome = outcome;
	d->changed = d->ended = now;
	controller_note(c, "deployment %u: %s%s%s, %.1f s", d->number, outcome_name(outcome),
			d->reason[0] ? ": " : "", d->reason, (double)(now - d->started) / 1000);
}

void controller_go_back(struct controller *c, const char *reason, int64_t now)
{
	struct deployment *d = &c->group.deployment;

	rollout_copy(d->reason, sizeof(d->reason), reason);
	if (!d->from[0]) {
		finish(c, OUTCOME_GAVE_UP, now);
		return;
	}
	controller_note(c, "deployment %u: back to %.12s: %s", d->number, d->from, d->reason);
	d->phase = PHASE_BACK;
	d->changed = now;
	c->group.strikes = 0;
	c->group.hold_until = 0;
}

static void enter(struct controller *c, enum phase phase, int64_t now)
{
	struct deployment *d = &c->group.deployment;

	d->phase = phase;
	d->changed = now;
	controller_note(c, "deployment %u: %s", d->number, phase_name(phase));
}

/* Whether a new one has served well for as long as the plan wants. */
static bool passed_checkpoint(const struct group *g, int64_t now)
{
	for (size_t k = 0; k < g->count; k++) {
		const struct instance *i = &g->instances[k];

		if (instance_serves(i) && is_fresh(i, g->deployment.to) &&
		    now - i->changed >= (int64_t)g->plan.checkpoint * 1000)
			return true;
	}
	return g->size == 0;
}

static bool all_fresh(const struct group *g)
{
	struct census n = count(g);

	return n.fresh_serving >= g->size && n.total == n.fresh_serving;
}

static void arrive(struct controller *c, int64_t now)
{
	struct group *g = &c->group;
	struct deployment *d = &g->deployment;

	rollout_copy(g->previous, sizeof(g->previous), d->from);
	rollout_copy(g->current, sizeof(g->current), d->to);
	d->reason[0] = 0;
	finish(c, OUTCOME_DEPLOYED, now);
}

static void advance_forth(struct controller *c, int64_t now)
{
	struct group *g = &c->group;
	struct deployment *d = &g->deployment;
	char why[ROLLOUT_REASON_SIZE];

	if (d->failures > g->plan.failures) {
		rollout_copy(why, sizeof(why), d->reason);
		controller_go_back(c, why, now);
	} else if (now - d->started > (int64_t)g->plan.deadline * 1000) {
		snprintf(why, sizeof(why), "not done within %u s", g->plan.deadline);
		controller_go_back(c, why, now);
	} else if (d->phase == PHASE_CHECKPOINT && passed_checkpoint(g, now)) {
		enter(c, PHASE_ROLLING, now);
	} else if (d->phase == PHASE_ROLLING && all_fresh(g) && d->at_once) {
		arrive(c, now);
	} else if (d->phase == PHASE_ROLLING && all_fresh(g)) {
		enter(c, PHASE_BAKING, now);
	} else if (d->phase == PHASE_BAKING && !all_fresh(g)) {
		enter(c, PHASE_ROLLING, now);
	} else if (d->phase == PHASE_BAKING && now - d->changed >= (int64_t)g->plan.bake * 1000) {
		arrive(c, now);
	}
}

void controller_advance(struct controller *c, int64_t now)
{
	struct group *g = &c->group;
	struct deployment *d = &g->deployment;

	if (d->phase == PHASE_NONE)
		return;
	if (group_serving(g) < d->lowest)
		d->lowest = group_serving(g);
	if (d->phase != PHASE_BACK)
		advance_forth(c, now);
	else if (all_fresh(g))
		finish(c, OUTCOME_ROLLED_BACK, now);
	else if (now - d->changed > (int64_t)g->plan.deadline * 1000)
		finish(c, OUTCOME_GAVE_UP, now);
}
