/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that decides whether a request is tried again, and when: full jitter ("Exponential Backoff And Jitter", AWS
 * Architecture Blog) between 0 and base * 2^n, never less than what the server asked for by Retry-After. What kind of failure it was is
 * said by the caller (aws_judge()); everything else that is tried again in this room goes through here.
 */
#ifndef MKAPPLIANCE_CLOUD_RETRY_H
#define MKAPPLIANCE_CLOUD_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "cloud/http.h"
#include "lib/mem.h"

enum retry_reason {
	RETRY_THROTTLED,   /* the service wants less: slow down everywhere */
	RETRY_SERVER,	   /* 5xx */
	RETRY_NETWORK,	   /* no connection, or it broke */
	RETRY_TIMEOUT,	   /* the attempt took too long, or nothing moved */
	RETRY_LAG,	   /* what was just made is not there yet */
	RETRY_CONFLICT,	   /* an earlier attempt may still be at work */
	RETRY_CHECKSUM,	   /* other bytes arrived than were sent, there or here */
	RETRY_CREDENTIALS, /* expired, read anew */
	RETRY_CLOCK,	   /* ours was wrong; set by the service's Date */
	RETRY_REASONS,
};

/* "throttled", "5xx", "network", "timeout", "not there yet", "conflict", "checksum", "credentials", "clock". */
const char *retry_reason_name(enum retry_reason reason);

struct retry_policy {
	unsigned attempts;  /* of one request, the first included; lag and throttling do not count here */
	unsigned throttled; /* how often one request may be throttled */
	unsigned base_ms;
	unsigned cap_ms;
	unsigned budget; /* retries of all requests together (but for lag), 0: no end */
};

/* 8 attempts, 30 times throttled, 500 ms to 20 s; no budget. */
extern const struct retry_policy retry_policy_default;

/* Counted over all requests, for the progress and for the budget. */
struct retry_stats {
	uint64_t count[RETRY_REASONS];
};

/* Whether how a request ended, without an answer, is worth another try, and why. False for an answer too. */
bool retry_outcome(enum http_outcome outcome, enum retry_reason *ret);

/* Of one request; {0} at first. */
struct retry {
	unsigned attempts; /* made and failed so far */
	unsigned of[RETRY_REASONS];
	unsigned generation; /* of the credentials that the last attempt was signed with (aws_sign) */
};

/*
 * Notes a failed attempt. True: again, in @ret_delay_ns; false: enough. @retry_after_s as the server said, 0 nothing. Credentials
 * and the clock are mended at most twice a request, a checksum or conflict 3 times; lag ends with the caller's deadline.
 */
bool retry_again(const struct retry_policy *policy, struct retry *state, struct retry_stats *stats,
		 enum retry_reason reason, unsigned retry_after_s, uint64_t *ret_delay_ns);

/* "3 throttled, 1 5xx", "" when there were none; appends to @b. */
void retry_stats_text(const struct retry_stats *stats, struct buf *b);

/* Evenly spread from 0 to @max. */
uint64_t retry_random(uint64_t max);

#endif
