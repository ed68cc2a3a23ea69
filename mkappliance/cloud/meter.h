/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a transfer is: on a terminal one moving line with bar, rate, time left and what had to be tried again; in a log a line
 * every 5 s; or JSON objects, one a line. All on standard error.
 */
#ifndef MKAPPLIANCE_CLOUD_METER_H
#define MKAPPLIANCE_CLOUD_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "cloud/retry.h"
#include "lib/mem.h"

struct meter {
	bool json;	      /* set by the caller before meter_start() */
	const char *name;     /* of the phase */
	uint64_t total, done; /* blocks */
	uint64_t skipped;     /* of these: they were there before */
	uint64_t started_ns, shown_ns;
	unsigned in_flight;
	struct retry_stats said; /* what the phases before had to try again */
};

/* A phase of @total blocks of 512 KiB; 0: nothing is counted. One line "NAME ..." at its end by meter_end(). */
void meter_start(struct meter *m, const char *name, uint64_t total);
/* Blocks that need not be transferred any more: in no rate. */
void meter_skip(struct meter *m, uint64_t blocks);
void meter_add(struct meter *m, uint64_t blocks);
/* Shows it when it is time to. */
void meter_show(struct meter *m, unsigned in_flight, const struct retry_stats *retries);
/* @detail may be NULL. */
void meter_end(struct meter *m, const char *detail, const struct retry_stats *retries);

/* The moving line and the log's line, for tests: @width columns of bar (0: none). */
void meter_text(const struct meter *m, uint64_t now_ns, unsigned width, const struct retry_stats *retries,
		struct buf *ret);

#endif
