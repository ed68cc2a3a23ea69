/* SPDX-License-Identifier: Apache-2.0 */
/* What was seen, taken into the group. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rollout/controller_internal.h"

#define YOUNG_MS    60000 /* one that fails so soon after its launch says something about the image */
#define STRIKES_MAX 6

static int compare_readings(const void *a, const void *b)
{
	return strcmp(((const struct fleet_reading *)a)->id, ((const struct fleet_reading *)b)->id);
}

const struct fleet_reading *controller_reading(const struct fleet_reading *readings, size_t count,
					       const char *id)
{
	struct fleet_reading key = {0};

	if (!count)
		return NULL;
	rollout_copy(key.id, sizeof(key.id), id);
	return bsearch(&key, readings, count, sizeof(key), compare_readings);
}

static void move_to(struct instance *i, enum lifecycle l, int64_t now)
{
	i->lifecycle = l;
	i->changed = now;
}

void controller_dismiss(struct instance *i, bool gently, int64_t now)
{
	if (i->lifecycle >= INSTANCE_DRAINING)
		return;
	move_to(i, gently && i->lifecycle == INSTANCE_SERVING ? INSTANCE_DRAINING : INSTANCE_STOPPING, now);
}

static bool is_new(const struct group *g, const struct instance *i)
{
	return g->deployment.phase != PHASE_NONE && g->deployment.phase != PHASE_BACK &&
	       strcmp(i->image, g->deployment.to) == 0;
}

/* Replacements that fail as well are made more and more slowly: at once, after 2 s, 4 s, ... 64 s. */
static void strike(struct group *g, const struct instance *i, int64_t now)
{
	if (now - i->born > YOUNG_MS && i->lifecycle == INSTANCE_SERVING)
		g->strikes = 0;
	else if (g->strikes < STRIKES_MAX)
		g->strikes++;
	if (g->strikes)
		g->hold_until = now + ((int64_t)1000 << g->strikes);
}

void controller_fail(struct controller *c, struct instance *i, const char *why, int64_t now)
{
	struct group *g = &c->group;

	if (i->lifecycle >= INSTANCE_DRAINING)
		return;
	rollout_copy(i->reason, sizeof(i->reason), why);
	controller_note(c, "%s (%.12s): %s", i->id, i->image, i->reason);
	if (is_new(g, i)) {
		g->deployment.failures++;
		rollout_copy(g->deployment.reason, sizeof(g->deployment.reason), i->reason);
	} else {
		strike(g, i, now);
	}
	i->hard = i->lifecycle != INSTANCE_SERVING;
	i->health = HEALTH_BAD;
	controller_dismiss(i, false, now);
}

static void absorb_health(struct instance *i, const struct fleet_reading *seen, int64_t now)
{
	enum health health = i->condemned ? HEALTH_BAD : seen->health;

	/* A balancer that was started anew knows nothing yet; that is no news of the instance. */
	if (health == HEALTH_UNKNOWN && i->lifecycle != INSTANCE_STARTING)
		health = i->health;

	if (i->health != health) {
		i->health = health;
		i->health_since = now;
	}
	if (!i->condemned && i->lifecycle < INSTANCE_DRAINING && seen->reason[0])
		rollout_copy(i->reason, sizeof(i->reason), seen->reason);
	if (i->lifecycle != INSTANCE_SERVING) /* or every step of one with traffic would be a change */
		i->served = seen->served;
	i->attached = seen->attached;
}

static void absorb_starting(struct controller *c, struct instance *i, int64_t now)
{
	char why[ROLLOUT_REASON_SIZE + 64];

	if (i->health == HEALTH_GOOD) {
		move_to(i, INSTANCE_SERVING, now);
		controller_note(c, "%s (%.12s): healthy after %.1f s", i->id, i->image,
				(double)(now - i->born) / 1000);
	} else if (now - i->changed > (int64_t)c->group.plan.warmup * 1000) {
		snprintf(why, sizeof(why), "not healthy within %u s%s%s", c->group.plan.warmup,
			 i->reason[0] ? ": " : "", i->reason);
		controller_fail(c, i, why, now);
	}
}

static bool is_drained(const struct group *g, const struct instance *i, const struct fleet_reading *seen,
		       int64_t now)
{
	return (!seen->attached && seen->connections == 0) || (i->health == HEALTH_BAD && !i->condemned) ||
	       now - i->changed > (int64_t)g->plan.drain * 1000;
}

/* One that the fleet knows. */
static void absorb_seen(struct controller *c, struct instance *i, const struct fleet_reading *seen,
			int64_t now)
{
	char why[ROLLOUT_REASON_SIZE + 16];

	if (seen->ended) {
		i->served = seen->served;
		snprintf(why, sizeof(why), "ended: %s", seen->reason);
		controller_fail(c, i, why, now);
		if (i->lifecycle != INSTANCE_STOPPING)
			move_to(i, INSTANCE_STOPPING, now);
		return;
	}
	if (i->lifecycle == INSTANCE_PENDING) /* launched before we were killed */
		move_to(i, INSTANCE_STARTING, now);
	absorb_health(i, seen, now);
	if (i->lifecycle == INSTANCE_STARTING) {
		absorb_starting(c, i, now);
	} else if (i->lifecycle == INSTANCE_SERVING && i->health == HEALTH_BAD && !i->condemned) {
		snprintf(why, sizeof(why), "unhealthy: %s", seen->reason);
		controller_fail(c, i, why, now);
	} else if (i->lifecycle == INSTANCE_DRAINING && is_drained(&c->group, i, seen, now)) {
		move_to(i, INSTANCE_STOPPING, now);
	}
}

void controller_absorb(struct controller *c, struct fleet_reading *readings, size_t count, int64_t now)
{
	struct group *g = &c->group;
	size_t kept = 0;

	if (count)
		qsort(readings, count, sizeof(*readings), compare_readings);
	for (size_t n = 0; n < g->count; n++) {
		struct instance *i = &g->instances[n];
		const struct fleet_reading *seen = controller_reading(readings, count, i->id);

		if (!seen && i->lifecycle >= INSTANCE_DRAINING)
			continue; /* gone, as it was to be */
		if (seen)
			absorb_seen(c, i, seen, now);
		else if (i->lifecycle != INSTANCE_PENDING)
			controller_fail(c, i, "gone", now);
		g->instances[kept++] = *i;
	}
	g->count = kept;
	if (g->strikes && group_is_well(g) && now - g->hold_until > YOUNG_MS)
		g->strikes = 0;
}
