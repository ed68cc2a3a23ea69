/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/mem.h"
#include "rollout/controller_internal.h"

#define LAUNCH_TRIES 3
#define RETRY_MS     2000 /* after a launch that failed */

void controller_note(struct controller *c, const char *format, ...)
{
	char line[400];
	va_list args;

	if (!c->note)
		return;
	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	c->note(line, c->data);
}

/* A failed launch is tried again after a pause, then the instance has failed. */
static void launch(struct controller *c, struct instance *i, int64_t now)
{
	struct error err = ERROR_INIT;
	int r = c->fleet.launch(c->fleet.data, i->id, i->image, &err);

	if (r == 0) {
		i->lifecycle = INSTANCE_STARTING;
		i->changed = now;
		return;
	}
	rollout_copy(i->reason, sizeof(i->reason), err.text);
	if (r == -EAGAIN)
		return;
	controller_note(c, "%s: launch failed: %s", i->id, err.text);
	c->group.hold_until = now + RETRY_MS;
	if (++i->tries >= LAUNCH_TRIES)
		controller_fail(c, i, err.text, now);
}

/* Asks for what one instance is to be; asked again at each step until it is seen to be so. */
static void pursue(struct controller *c, struct instance *i, const struct fleet_reading *seen, int64_t now)
{
	struct fleet *f = &c->fleet;
	struct error err = ERROR_INIT;
	int r = 0;

	switch (i->lifecycle) {
	case INSTANCE_PENDING:
		if (now >= c->group.hold_until)
			launch(c, i, now);
		return;
	case INSTANCE_STARTING:
		return;
	case INSTANCE_SERVING:
		if (seen && !seen->attached)
			r = f->attach(f->data, i->id, &err);
		break;
	case INSTANCE_DRAINING:
		if (seen && seen->attached)
			r = f->drain(f->data, i->id, &err);
		break;
	case INSTANCE_STOPPING:
		r = f->terminate(f->data, i->id, i->hard || now - i->changed > CONTROLLER_STOP_S * 1000,
				 &err);
		break;
	}
	if (r < 0 && r != -EAGAIN)
		controller_note(c, "%s: %s", i->id, err.text);
}

/* What runs and is in no journal was launched by somebody else, or is left of a journal that was lost. */
static void end_strangers(struct controller *c, const struct fleet_reading *readings, size_t count)
{
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < count; i++)
		if (!group_find(&c->group, readings[i].id)) {
			controller_note(c, "%s: not ours, it is ended", readings[i].id);
			(void)c->fleet.terminate(c->fleet.data, readings[i].id, true, &err);
		}
}

int controller_step(struct controller *c, int64_t now, struct error *err)
{
	_cleanup_free_ struct fleet_reading *readings = NULL;
	size_t count = 0;
	int r = c->fleet.read(c->fleet.data, &readings, &count, err);

	if (r < 0)
		return r;
	controller_absorb(c, readings, count, now);
	controller_advance(c, now);
	controller_replace(c, now);
	r = c->save ? c->save(&c->group, c->data, err) : 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->group.count; i++) {
		struct instance *n = &c->group.instances[i];

		pursue(c, n, controller_reading(readings, count, n->id), now);
	}
	end_strangers(c, readings, count);
	return 0;
}

/* The last deployment goes to the history. */
static void keep_history(struct group *g)
{
	if (g->deployment.number == 0)
		return;
	array_grow(g->history, g->history_count, g->history_cap);
	g->history[g->history_count++] = g->deployment;
	if (g->history_count > GROUP_HISTORY_MAX)
		memmove(g->history, g->history + 1, --g->history_count * sizeof(*g->history));
}

int controller_deploy(struct controller *c, const char *image, int64_t now, struct error *err)
{
	struct group *g = &c->group;
	struct deployment d = {.number = g->deployment.number + 1,
			       .phase = PHASE_CHECKPOINT,
			       .started = now,
			       .changed = now,
			       .lowest = group_serving(g)};

	if (g->deployment.phase != PHASE_NONE)
		return error_set(err, -EBUSY, "deployment %u is under way (%s)", g->deployment.number,
				 phase_name(g->deployment.phase));
	if (strcmp(image, g->current) == 0)
		return error_set(err, -EALREADY, "the group runs this image already");
	rollout_copy(d.from, sizeof(d.from), g->current);
	rollout_copy(d.to, sizeof(d.to), image);
	keep_history(g);
	g->deployment = d;
	g->strikes = 0;
	g->hold_until = 0;
	controller_note(c, "deployment %u: %.12s to %.12s", d.number, d.from[0] ? d.from : "nothing", d.to);
	return 0;
}

int controller_rollback(struct controller *c, const char *image, int64_t now, struct error *err)
{
	struct group *g = &c->group;
	int r;

	if (g->deployment.phase == PHASE_BACK)
		return error_set(err, -EALREADY, "deployment %u is being rolled back", g->deployment.number);
	if (g->deployment.phase != PHASE_NONE) {
		if (image && strcmp(image, g->deployment.from) != 0)
			return error_set(
				err, -EBUSY,
				"deployment %u is under way; it can only go back to where it came from",
				g->deployment.number);
		controller_go_back(c, "asked for", now);
		return 0;
	}
	if (!image && !g->previous[0])
		return error_set(err, -ENOENT, "there is no previous image to go back to");
	r = controller_deploy(c, image ? image : g->previous, now, err);
	if (r < 0)
		return r;
	g->deployment.phase = PHASE_ROLLING;
	g->deployment.at_once = true;
	return 0;
}
