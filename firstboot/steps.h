/* SPDX-License-Identifier: Apache-2.0 */
/* How long each step of the start took, for the boot record. */
#ifndef FIRSTBOOT_STEPS_H
#define FIRSTBOOT_STEPS_H

#include <stdbool.h>
#include <stdint.h>

enum step {
	/* stage 1 */
	STEP_MODULES,
	STEP_DISK,
	STEP_VERITY,
	STEP_READ,
	STEP_MOUNT,
	/* stage 2 */
	STEP_SETUP,
	STEP_DRIVERS,
	STEP_DATA,
	STEP_NETWORK,
	STEP_METADATA,
	STEP_SEAL,
	STEP_EXEC,
	STEP_COUNT,
};

/* The first of all. */
void steps_begin(void);

/* @s has ended: it took the time since the last one did. */
void steps_end(enum step s);

/* The time since the last step ended is nobody's. */
void steps_skip(void);

/* Milliseconds since steps_begin(). */
uint64_t steps_total(void);

/* Adds a "NAME_ms" to the record for each step that ended since the last call, in their order. */
void steps_record(void);

#endif
