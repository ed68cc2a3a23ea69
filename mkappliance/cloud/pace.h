/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many blocks are on their way at a time, how many begin in a second, and how long one may take: pure, the clock is the caller's.
 *
 * Both numbers come down by 30 % when the service complains, and go up a little with each block that it takes (AIMD, as TCP does).
 * It begins with few connections, doubles each round trip until the service complains or more connections stop helping, and then adds one
 * a round. A line that is full is seen by its latency: with twice the time of
 * the fastest blocks more connections would only make each slower, until they all run into their time limit.
 */
#ifndef MKAPPLIANCE_CLOUD_PACE_H
#define MKAPPLIANCE_CLOUD_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* The service's limit for one snapshot is 1000 puts a second; a little below it nothing is throttled. */
#define PACE_PUTS_PER_SECOND 980
#define PACE_START	     8u

struct pace {
	unsigned limit;			       /* at a time, now */
	unsigned max;			       /* at a time, ever */
	bool starting;			       /* still doubling */
	double per_second;		       /* puts that may begin in a second, now */
	double tokens;			       /* puts that may begin */
	uint64_t tokens_ns;		       /* when they were counted */
	unsigned round;			       /* successes of this round trip */
	uint64_t fastest_ns, round_fastest_ns; /* of all, of this round */
	uint64_t slowed_ns;		       /* when it was last slowed down */
	uint64_t first_ns, bytes;	       /* since when, and how much has arrived */
	double rate;			       /* bytes a second, of the last seconds; 0: not known */
	uint64_t rate_ns, rate_bytes;
};

/* @max 0: the default of 64 to 128. @now_ns: CLOCK_MONOTONIC. */
void pace_init(struct pace *p, unsigned max, uint64_t now_ns);

/* Nanoseconds until one more may begin for the rate's sake; how many at a time is p->limit. */
uint64_t pace_wait_ns(const struct pace *p, uint64_t now_ns);
/* One begins: takes it from the second's share. */
void pace_begin(struct pace *p, uint64_t now_ns);

/* @bytes arrived, @took_ns after they began. */
void pace_success(struct pace *p, uint64_t bytes, uint64_t took_ns, uint64_t now_ns);
/* The service wants less, or an attempt ran out of time. Several of one round trip count once. */
void pace_slow_down(struct pace *p, uint64_t now_ns);

/*
 * Time limit of the next attempt, in milliseconds: 20 s, or four times what all that is on its way needs at the rate that was measured. (64
 * blocks on a line of 10 Mbit/s take 27 s: a fixed limit makes such a line fail for ever.)
 */
unsigned pace_timeout_ms(const struct pace *p, unsigned in_flight, uint64_t block_bytes);

#endif
