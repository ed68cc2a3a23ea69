/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controller of a fleet. It goes in steps: look at the fleet, decide, write down what was decided, do it. What it does follows
 * from what is written and what is seen, never from what it remembers, so that one that was killed anywhere goes on where it stood.
 *
 * A deployment: one new instance first (checkpoint), then one after the other within the plan's bounds, then all watched for a while
 * (baking). A new instance that ends, is not healthy in time or loses its health again is a failure; more of them than the plan allows,
 * or the deadline, and the group goes back to the previous image, by its id. Outside a deployment what fails is replaced, with growing
 * pauses when replacements fail too.
 */
#ifndef MKAPPLIANCE_ROLLOUT_CONTROLLER_H
#define MKAPPLIANCE_ROLLOUT_CONTROLLER_H

#include "rollout/group.h"

#define CONTROLLER_STOP_S 20 /* for an instance that was asked to stop; then its power goes */

struct controller {
	struct group group;
	struct fleet fleet;
	/* Brings @group to the disk; called before anything is done that depends on it. NULL: nowhere. */
	int (*save)(const struct group *g, void *data, struct error *err);
	/* One line for the log; may be NULL. */
	void (*note)(const char *line, void *data);
	void *data;
};

/*
 * One step at the time @now (milliseconds since 1970). Errors are those of read() and save(): nothing was done, and the next step tries
 * again. Errors of single instances stand in their reason.
 */
int controller_step(struct controller *c, int64_t now, struct error *err);

/*
 * Starts the way to @image. -EBUSY while another one is under way, -EALREADY when the group runs it. Only decides: the next step does
 * it.
 */
int controller_deploy(struct controller *c, const char *image, int64_t now, struct error *err);
/*
 * Back to the previous image: of a deployment under way, or as a new one when @image (NULL: the previous). -ENOENT: there is none. It has
 * served before, so it is not tried again by one instance first nor watched in the end, and all of it is launched at once.
 */
int controller_rollback(struct controller *c, const char *image, int64_t now, struct error *err);

#endif
