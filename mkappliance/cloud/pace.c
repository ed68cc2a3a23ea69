/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/pace.h"

#define MAX_DEFAULT 112u
#define BURST	    16.0 /* puts that may begin at once, at the full rate */
#define STEP	    0.5	 /* puts a second more with each success */
#define SLOWEST	    2.0
#define RATE_NS	    1000000000ull
#define TIMEOUT_MIN 20000.0
#define TIMEOUT_MAX 600000.0

void pace_init(struct pace *p, unsigned max, uint64_t now_ns)
{
	*p = (struct pace){.max = max ? max : MAX_DEFAULT,
			   .starting = true,
			   .tokens = BURST,
			   .per_second = PACE_PUTS_PER_SECOND};
	p->limit = p->max < PACE_START ? p->max : PACE_START;
	p->tokens_ns = p->first_ns = p->rate_ns = now_ns;
}

static double tokens_at(const struct pace *p, uint64_t now_ns)
{
	double tokens = p->tokens + (double)(now_ns - p->tokens_ns) * p->per_second / 1e9;
	double most = 1 + (BURST - 1) * p->per_second / PACE_PUTS_PER_SECOND;

	return tokens > most ? most : tokens;
}

uint64_t pace_wait_ns(const struct pace *p, uint64_t now_ns)
{
	double tokens = tokens_at(p, now_ns);

	return tokens >= 1 ? 0 : (uint64_t)((1 - tokens) * 1e9 / p->per_second) + 1;
}

void pace_begin(struct pace *p, uint64_t now_ns)
{
	p->tokens = tokens_at(p, now_ns) - 1;
	p->tokens_ns = now_ns;
}

static void measure(struct pace *p, uint64_t bytes, uint64_t now_ns)
{
	double rate;

	p->bytes += bytes;
	p->rate_bytes += bytes;
	if (now_ns - p->rate_ns < RATE_NS)
		return;
	rate = (double)p->rate_bytes * 1e9 / (double)(now_ns - p->rate_ns);
	p->rate = p->rate > 0 ? 0.6 * p->rate + 0.4 * rate : rate;
	p->rate_bytes = 0;
	p->rate_ns = now_ns;
}

void pace_success(struct pace *p, uint64_t bytes, uint64_t took_ns, uint64_t now_ns)
{
	measure(p, bytes, now_ns);
	p->per_second =
		p->per_second + STEP < PACE_PUTS_PER_SECOND ? p->per_second + STEP : PACE_PUTS_PER_SECOND;
	if (p->fastest_ns == 0 || took_ns < p->fastest_ns)
		p->fastest_ns = took_ns;
	if (p->round == 0 || took_ns < p->round_fastest_ns)
		p->round_fastest_ns = took_ns;
	if (++p->round < p->limit)
		return;
	p->round = 0;
	/* Of a full line even the fastest of a round is late; one that is late among others is noise. */
	if (p->round_fastest_ns > 2 * p->fastest_ns && p->limit >= PACE_START) {
		p->starting = false;
		return;
	}
	p->limit = p->starting ? 2 * p->limit : p->limit + 1;
	if (p->limit >= p->max) {
		p->limit = p->max;
		p->starting = false;
	}
}

void pace_slow_down(struct pace *p, uint64_t now_ns)
{
	if (p->slowed_ns && now_ns - p->slowed_ns < (p->fastest_ns ? p->fastest_ns : RATE_NS / 10))
		return;
	p->slowed_ns = now_ns;
	p->starting = false;
	p->round = 0;
	p->limit = p->limit * 7 / 10;
	if (p->limit == 0)
		p->limit = 1;
	p->per_second = p->per_second * 0.7 > SLOWEST ? p->per_second * 0.7 : SLOWEST;
}

unsigned pace_timeout_ms(const struct pace *p, unsigned in_flight, uint64_t block_bytes)
{
	double ms = TIMEOUT_MIN;

	if (p->rate > 0)
		ms = 4000.0 * (double)(in_flight + 1) * (double)block_bytes / p->rate;
	else
		ms = 3 * TIMEOUT_MIN; /* nothing is known of the line yet */
	return (unsigned)(ms < TIMEOUT_MIN ? TIMEOUT_MIN : ms > TIMEOUT_MAX ? TIMEOUT_MAX : ms);
}
