/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many like requests of one AWS session, as many at a time as pace.h says, each tried again as aws_judge() says: what upload and reading
 * back have in common. All callbacks run in the caller's thread.
 */
#ifndef MKAPPLIANCE_CLOUD_FLOW_H
#define MKAPPLIANCE_CLOUD_FLOW_H

#include <stdint.h>

#include "cloud/aws.h"
#include "cloud/meter.h"
#include "cloud/pace.h"

struct flow_job {
	struct aws *aws;
	struct meter *meter;  /* one unit is added for each request that is done */
	unsigned connections; /* at most; 0: the default of pace.h */
	unsigned
		ahead; /* slots beyond the connections, so that a request that waits to be tried again blocks none */
	uint64_t total; /* requests that must be done */
	uint64_t bytes; /* that each moves, for the time limit */
	void *user;
	/*
	 * Prepares the next request in slot number @slot: 1 and its call, which stays valid until done() or the end; 0: none is ready yet, and
	 * http_wake() will be called when one is.
	 */
	int (*next)(void *user, unsigned slot, const struct aws_call **ret, struct error *err);
	/* It was answered well, and the slot is free when it returns; -EAGAIN: the answer is damaged, ask again a few times. */
	int (*done)(void *user, unsigned slot, struct http_reply *reply, struct error *err);
	/* It will be sent again for the reason @why; NULL: no interest. */
	int (*again)(void *user, unsigned slot, enum retry_reason why, struct error *err);
};

/* How many slots a job has: connections, or the default, and those ahead. */
unsigned flow_slots(unsigned connections, unsigned ahead);

/*
 * Returns when all are done, or with the first failure. After a signal or a failure what is on its way has 2 s to be answered (done() is
 * called for it); -EINTR after a signal.
 */
int flow_run(const struct flow_job *job, struct error *err);

#endif
