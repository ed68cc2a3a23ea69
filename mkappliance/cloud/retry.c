/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/retry.h"

#include <stdlib.h>
#include <sys/random.h>

#include "lib/log.h"

#define MS UINT64_C(1000000)

const struct retry_policy retry_policy_default = {
	.attempts = 8, .throttled = 30, .base_ms = 500, .cap_ms = 20000};

const char *retry_reason_name(enum retry_reason reason)
{
	static const char *const names[RETRY_REASONS] = {
		[RETRY_THROTTLED] = "throttled", [RETRY_SERVER] = "5xx",
		[RETRY_NETWORK] = "network",	 [RETRY_TIMEOUT] = "timeout",
		[RETRY_LAG] = "not there yet",	 [RETRY_CONFLICT] = "conflict",
		[RETRY_CHECKSUM] = "checksum",	 [RETRY_CREDENTIALS] = "credentials",
		[RETRY_CLOCK] = "clock",
	};

	return names[reason];
}

bool retry_outcome(enum http_outcome outcome, enum retry_reason *ret)
{
	switch (outcome) {
	case HTTP_UNREACHABLE:
	case HTTP_BROKEN:
		*ret = RETRY_NETWORK;
		return true;
	case HTTP_TIMEOUT:
	case HTTP_STALLED:
		*ret = RETRY_TIMEOUT;
		return true;
	case HTTP_ANSWERED:
	case HTTP_TLS:
	case HTTP_TOO_LARGE:
	case HTTP_BAD:
	case HTTP_INTERRUPTED:
		break;
	}
	return false;
}

/* xorshift64*: jitter needs no secrets, but each process its own. */
uint64_t retry_random(uint64_t max)
{
	static __thread uint64_t state;

	if (!state && getrandom(&state, sizeof(state), GRND_NONBLOCK) != sizeof(state))
		state = clock_ns();
	state |= state == 0;
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return max == UINT64_MAX ? state : (state * UINT64_C(0x2545f4914f6cdd1d) >> 11) % (max + 1);
}

/* How often a request may fail for this reason before it is given up, 0: as often as the policy's attempts. */
static unsigned limit_of(const struct retry_policy *p, enum retry_reason reason)
{
	switch (reason) {
	case RETRY_THROTTLED:
		return p->throttled;
	case RETRY_CONFLICT:
	case RETRY_CHECKSUM:
		return 3;
	case RETRY_CREDENTIALS:
	case RETRY_CLOCK:
		return 2;
	case RETRY_LAG:
		return UINT32_MAX;
	case RETRY_SERVER:
	case RETRY_NETWORK:
	case RETRY_TIMEOUT:
	case RETRY_REASONS:
		break;
	}
	return 0;
}

static bool over_budget(const struct retry_policy *p, const struct retry_stats *stats)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < RETRY_REASONS; i++)
		sum += i == RETRY_LAG ? 0 : stats->count[i];
	return p->budget && sum >= p->budget;
}

/* Full jitter; of what is mended at once there is nothing to wait for. */
static uint64_t delay_ns(const struct retry_policy *p, enum retry_reason reason, unsigned n)
{
	uint64_t cap = p->cap_ms, top = p->base_ms;

	if (reason == RETRY_CREDENTIALS || reason == RETRY_CLOCK)
		return 0;
	if (reason == RETRY_LAG && cap > 4000)
		cap = 4000; /* it comes within a minute or two; do not sleep past it */
	while (n-- > 1 && top < cap)
		top *= 2;
	return retry_random((top < cap ? top : cap) * MS);
}

bool retry_again(const struct retry_policy *policy, struct retry *state, struct retry_stats *stats,
		 enum retry_reason reason, unsigned retry_after_s, uint64_t *ret_delay_ns)
{
	unsigned limit = limit_of(policy, reason), n = ++state->of[reason];
	uint64_t delay, least = retry_after_s * 1000 * MS;

	if (limit == 0 && ++state->attempts >= policy->attempts)
		return false;
	if (limit && n >= limit)
		return false;
	if (reason != RETRY_LAG && over_budget(policy, stats))
		return false;
	stats->count[reason]++;
	delay = delay_ns(policy, reason, n);
	*ret_delay_ns = delay > least ? delay : least + delay / 4;
	return true;
}

void retry_stats_text(const struct retry_stats *stats, struct buf *b)
{
	bool first = true;

	for (unsigned i = 0; i < RETRY_REASONS; i++) {
		if (!stats->count[i])
			continue;
		buf_printf(b, "%s%ju %s", first ? "" : ", ", (uintmax_t)stats->count[i],
			   retry_reason_name(i));
		first = false;
	}
}
