/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a step; for controller*.c only. */
#ifndef MKAPPLIANCE_ROLLOUT_CONTROLLER_INTERNAL_H
#define MKAPPLIANCE_ROLLOUT_CONTROLLER_INTERNAL_H

#include "rollout/controller.h"

void controller_note(struct controller *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Takes in what was seen: what ended is gone or has failed, health, traffic. Sorts @readings by id. */
void controller_absorb(struct controller *c, struct fleet_reading *readings, size_t count, int64_t now);
/* NULL when it was not seen; @readings as controller_absorb() left them. */
const struct fleet_reading *controller_reading(const struct fleet_reading *readings, size_t count,
					       const char *id);
/* Takes the deployment on: next phase, way back, end. */
void controller_advance(struct controller *c, int64_t now);
/* Starts the way back, or gives up where there is none. */
void controller_go_back(struct controller *c, const char *reason, int64_t now);
/* Writes down which instances are to come and to go. */
void controller_replace(struct controller *c, int64_t now);

/* An instance that is to go, and why; it is stopped, or (@gently) drained first. */
void controller_dismiss(struct instance *i, bool gently, int64_t now);
/* The same for one that failed, counted where it counts. */
void controller_fail(struct controller *c, struct instance *i, const char *why, int64_t now);

#endif
