/* SPDX-License-Identifier: Apache-2.0 */
#include "steps.h"

#include "file.h"
#include "record.h"

static uint64_t began; /* ms */
static uint64_t last;  /* ms */
static uint64_t took[STEP_COUNT];
static bool done[STEP_COUNT];

void steps_begin(void)
{
	began = last = clock_ms();
}

void steps_end(enum step s)
{
	uint64_t now = clock_ms();

	took[s] = now - last;
	done[s] = true;
	last = now;
}

void steps_skip(void)
{
	last = clock_ms();
}

uint64_t steps_total(void)
{
	return clock_ms() - began;
}

void steps_record(void)
{
	static const char *const names[STEP_COUNT] = {
		[STEP_MODULES] = "modules_ms",	 [STEP_DISK] = "disk_ms",   [STEP_VERITY] = "verity_ms",
		[STEP_READ] = "read_ms",	 [STEP_MOUNT] = "mount_ms", [STEP_SETUP] = "setup_ms",
		[STEP_DRIVERS] = "drivers_ms",	 [STEP_DATA] = "data_ms",   [STEP_NETWORK] = "network_ms",
		[STEP_METADATA] = "metadata_ms", [STEP_SEAL] = "seal_ms",   [STEP_EXEC] = "exec_ms",
	};

	for (unsigned i = 0; i < STEP_COUNT; i++) {
		if (done[i])
			record_number(names[i], took[i]);
		done[i] = false;
	}
}
