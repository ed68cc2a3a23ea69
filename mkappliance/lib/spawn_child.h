/* SPDX-License-Identifier: Apache-2.0 */
/* A child process between its start (spawn_child.c) and its end (spawn.c). Used by these two only. */
#ifndef MKAPPLIANCE_LIB_SPAWN_CHILD_H
#define MKAPPLIANCE_LIB_SPAWN_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/spawn.h"

/* A child that runs, and what has come from it. */
struct child {
	const struct spawn *spec;
	pid_t pid;
	int pidfd; /* readable once it ended; -1 where the kernel has none */
	int out;   /* read ends; -1 once they ended */
	int err;
	bool stopping;	     /* it was told to end: an interrupt has been seen */
	unsigned last_reads; /* of its output, since it ended */
	struct buf log;
	size_t line_start; /* where in log the unfinished line begins */
};

/*
 * Starts it: returns once the child has become the program, or with the reason why it cannot. @c->spec is set by the
 * caller; the other fields are filled in.
 */
int child_start(struct child *c, struct error *err);

#endif
