/* SPDX-License-Identifier: Apache-2.0 */
#include "rollout/group.h"

#include <stdlib.h>
#include <string.h>

#include "lib/error.h"

void rollout_copy(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size - 1);

	memmove(to, from, n);
	to[n] = 0;
	error_one_line(to);
}

void group_free(struct group *g)
{
	free(g->instances);
	free(g->history);
	*g = (struct group){0};
}

unsigned rollout_plan_most(const struct rollout_plan *p, unsigned size)
{
	unsigned n = (size * p->max_healthy + 99) / 100;

	if (p->max_healthy > 100 && n <= size)
		n = size + 1;
	return n > size ? n : size;
}

unsigned rollout_plan_least(const struct rollout_plan *p, unsigned size)
{
	return (size * p->min_healthy + 99) / 100;
}

int rollout_plan_check(const struct rollout_plan *p, unsigned size, struct error *err)
{
	if (p->min_healthy > 100)
		return error_usage(err, "--min-healthy: %u per cent is more than all of them",
				   p->min_healthy);
	if (p->max_healthy < 100 || p->max_healthy > 200)
		return error_usage(err, "--max-healthy: %u per cent; 100 to 200", p->max_healthy);
	if (size > GROUP_SIZE_MAX)
		return error_usage(err, "--size: %u is more than %d", size, GROUP_SIZE_MAX);
	if (size && rollout_plan_least(p, size) >= size && rollout_plan_most(p, size) <= size)
		return error_usage(
			err,
			"--min-healthy=%u: all %u must serve and none may be added (--max-healthy=%u), so "
			"none can ever be replaced",
			p->min_healthy, size, p->max_healthy);
	if (!p->warmup || !p->deadline)
		return error_usage(err, "a deadline of 0 seconds cannot be kept");
	return 0;
}

struct instance *group_find(const struct group *g, const char *id)
{
	for (size_t i = 0; i < g->count; i++)
		if (strcmp(g->instances[i].id, id) == 0)
			return &g->instances[i];
	return NULL;
}

bool instance_serves(const struct instance *i)
{
	return i->lifecycle == INSTANCE_SERVING && i->health == HEALTH_GOOD && i->attached;
}

unsigned group_serving(const struct group *g)
{
	unsigned n = 0;

	for (size_t i = 0; i < g->count; i++)
		n += instance_serves(&g->instances[i]);
	return n;
}

const char *group_wanted(const struct group *g)
{
	switch (g->deployment.phase) {
	case PHASE_CHECKPOINT:
	case PHASE_ROLLING:
	case PHASE_BAKING:
		return g->deployment.to;
	case PHASE_BACK:
		return g->deployment.from;
	case PHASE_NONE:
		break;
	}
	return g->current;
}

unsigned group_most(const struct group *g)
{
	enum phase phase = g->deployment.phase;
	unsigned most = rollout_plan_most(&g->plan, g->size);
	bool at_once = phase == PHASE_BACK || (phase != PHASE_NONE && g->deployment.at_once);

	return at_once && most < 2 * g->size ? 2 * g->size : most;
}

bool group_is_well(const struct group *g)
{
	if (g->deployment.phase != PHASE_NONE || g->count != g->size || group_serving(g) != g->size)
		return false;
	for (size_t i = 0; i < g->count; i++)
		if (strcmp(g->instances[i].image, g->current) != 0)
			return false;
	return true;
}

const char *lifecycle_name(enum lifecycle l)
{
	static const char *const names[] = {"pending", "starting", "serving", "draining", "stopping"};

	return names[l];
}

const char *health_name(enum health h)
{
	static const char *const names[] = {"unknown", "healthy", "unhealthy"};

	return names[h];
}

const char *phase_name(enum phase p)
{
	static const char *const names[] = {"none", "checkpoint", "rolling", "baking", "rolling back"};

	return names[p];
}

const char *outcome_name(enum outcome o)
{
	static const char *const names[] = {"none", "deployed", "rolled back", "failed"};

	return names[o];
}
