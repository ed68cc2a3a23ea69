/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same work on many numbered pieces by as many threads as there are processors. Pieces are handed out in
 * rising order, so files are read and written front to back.
 */
#ifndef MKAPPLIANCE_LIB_WORKERS_H
#define MKAPPLIANCE_LIB_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

struct workers;

/*
 * Runs @worker on every thread and waits for all of them. A worker sets up what it needs, takes pieces with
 * workers_next() until there are none, and returns 0 or -errno; after the first failure, or Ctrl-C, the
 * others get no more pieces. @threads 0: one a processor.
 */
int workers_run(unsigned threads, uint64_t pieces,
		int (*worker)(struct workers *w, void *user, struct error *err), void *user,
		struct error *err);

/* How many of them there are: those that we may run on, which containers and taskset narrow; at least 1. */
unsigned workers_processors(void);

/* The next piece, from 0 to pieces - 1; false when there is nothing left to do. */
bool workers_next(struct workers *w, uint64_t *ret_piece);

#endif
