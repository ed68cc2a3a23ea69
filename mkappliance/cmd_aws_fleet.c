/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_aws_fleet.h"

#include <string.h>

#include "cloud/aws_sts.h"
#include "lib/mem.h"

#define SLACK_S 300 /* that the group's own checks and launches may take beside grace period and warm-up */

static int64_t milliseconds(const char *text)
{
	time_t t;

	return aws_time_parse(text, &t) ? (int64_t)t * 1000 : 0;
}

/* The balancer's verdict where there is one, else the group's. */
static enum health health_of(const struct asg_instance *i, bool balanced)
{
	if (strcmp(i->health, "Healthy") != 0)
		return HEALTH_BAD;
	if (!balanced)
		return HEALTH_GOOD;
	if (strcmp(i->target, "healthy") == 0)
		return HEALTH_GOOD;
	return strcmp(i->target, "unhealthy") == 0 ? HEALTH_BAD : HEALTH_UNKNOWN;
}

static bool is_going(const struct asg_instance *i)
{
	return strncmp(i->lifecycle, "Terminat", 8) == 0 || strncmp(i->lifecycle, "Detach", 6) == 0;
}

static struct instance instance_of(const struct asg_instance *i, bool balanced)
{
	struct instance n = {.health = health_of(i, balanced), .born = milliseconds(i->launched)};

	rollout_copy(n.id, sizeof(n.id), i->id);
	rollout_copy(n.image, sizeof(n.image), i->image);
	rollout_copy(n.zone, sizeof(n.zone), i->zone);
	rollout_copy(n.reason, sizeof(n.reason), i->reason);
	n.attached = n.health == HEALTH_GOOD;
	n.lifecycle =
		strcmp(i->lifecycle, "InService") == 0 && n.attached ? INSTANCE_SERVING : INSTANCE_STARTING;
	return n;
}

static void deployment_of(const struct asg_refresh *r, struct deployment *d)
{
	static const struct {
		const char *status;
		enum phase phase;
		enum outcome outcome;
	} states[] = {
		{"Pending", PHASE_ROLLING, OUTCOME_NONE},
		{"InProgress", PHASE_ROLLING, OUTCOME_NONE},
		{"Baking", PHASE_BAKING, OUTCOME_NONE},
		{"Cancelling", PHASE_ROLLING, OUTCOME_NONE},
		{"RollbackInProgress", PHASE_BACK, OUTCOME_NONE},
		{"Successful", PHASE_NONE, OUTCOME_DEPLOYED},
		{"RollbackSuccessful", PHASE_NONE, OUTCOME_ROLLED_BACK},
	};

	d->outcome = OUTCOME_GAVE_UP;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (strcmp(states[i].status, r->status) != 0)
			continue;
		d->phase = states[i].phase;
		d->outcome = states[i].outcome;
	}
	rollout_copy(d->reason, sizeof(d->reason), r->reason);
}

void aws_fleet_group(const struct asg_group *g, const struct asg_refresh *r, const char *image,
		     struct group *ret)
{
	struct group n = {.size = g->desired, .plan = ROLLOUT_PLAN_DEFAULT};

	rollout_copy(n.name, sizeof(n.name), g->name);
	rollout_copy(n.current, sizeof(n.current), image);
	n.drill = asg_allows_drills(g);
	n.plan.warmup = g->grace + g->warmup + SLACK_S;
	n.plan.drain = SLACK_S;
	if (r && r->id[0])
		deployment_of(r, &n.deployment);
	for (size_t i = 0; i < g->len; i++) {
		if (is_going(&g->list[i]))
			continue;
		array_grow(n.instances, n.count, n.cap);
		n.instances[n.count++] = instance_of(&g->list[i], g->target_groups.len);
	}
	*ret = n;
}
