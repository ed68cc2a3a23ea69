/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "cloud/retry.h"

static const struct retry_policy policy = {.attempts = 3, .throttled = 5, .base_ms = 100, .cap_ms = 1000};

/* How often a request that always fails for @reason is tried again. */
static unsigned tries(const struct retry_policy *p, enum retry_reason reason, struct retry_stats *stats)
{
	struct retry state = {0};
	uint64_t delay;
	unsigned n = 0;

	while (n < 100 && retry_again(p, &state, stats, reason, 0, &delay))
		n++;
	return n;
}

static void limits(void **state)
{
	struct retry_stats stats = {0};

	(void)state;
	assert_int_equal(tries(&policy, RETRY_SERVER, &stats), 2);
	assert_int_equal(tries(&policy, RETRY_NETWORK, &stats), 2);
	assert_int_equal(tries(&policy, RETRY_TIMEOUT, &stats), 2);
	assert_int_equal(tries(&policy, RETRY_THROTTLED, &stats), 4);
	assert_int_equal(tries(&policy, RETRY_CHECKSUM, &stats), 2);
	assert_int_equal(tries(&policy, RETRY_CREDENTIALS, &stats), 1);
	assert_int_equal(tries(&policy, RETRY_CLOCK, &stats), 1);
	assert_int_equal(tries(&policy, RETRY_LAG, &stats), 100);
	assert_int_equal(stats.count[RETRY_SERVER], 2);
	assert_int_equal(stats.count[RETRY_LAG], 100);
}

/* 5xx and lost connections share the attempts of a request. */
static void attempts_are_shared(void **state)
{
	struct retry_stats stats = {0};
	struct retry r = {0};
	uint64_t delay;

	(void)state;
	assert_true(retry_again(&policy, &r, &stats, RETRY_SERVER, 0, &delay));
	assert_true(retry_again(&policy, &r, &stats, RETRY_THROTTLED, 0, &delay));
	assert_true(retry_again(&policy, &r, &stats, RETRY_NETWORK, 0, &delay));
	assert_false(retry_again(&policy, &r, &stats, RETRY_SERVER, 0, &delay));
}

static void budget(void **state)
{
	struct retry_policy p = policy;
	struct retry_stats stats = {0};

	(void)state;
	p.budget = 3;
	assert_int_equal(tries(&p, RETRY_SERVER, &stats), 2);
	assert_int_equal(tries(&p, RETRY_SERVER, &stats), 1);
	assert_int_equal(tries(&p, RETRY_SERVER, &stats), 0);
	assert_int_equal(tries(&p, RETRY_LAG, &stats), 100);
}

/* Full jitter: from 0 to base * 2^n, capped; and every part of that range is used. */
static void jitter(void **state)
{
	const struct retry_policy p = {.attempts = 8, .throttled = 8, .base_ms = 100, .cap_ms = 400};
	static const uint64_t tops[] = {100, 200, 400, 400};
	uint64_t least[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}, most[4] = {0};
	struct retry_stats stats = {0};

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct retry r = {0};

		for (int n = 0; n < 4; n++) {
			uint64_t delay;

			assert_true(retry_again(&p, &r, &stats, RETRY_SERVER, 0, &delay));
			least[n] = delay < least[n] ? delay : least[n];
			most[n] = delay > most[n] ? delay : most[n];
		}
	}
	for (int n = 0; n < 4; n++) {
		assert_true(most[n] <= tops[n] * 1000000);
		assert_true(most[n] > tops[n] * 900000);
		assert_true(least[n] < tops[n] * 100000);
	}
}

static void retry_after(void **state)
{
	struct retry_stats stats = {0};
	struct retry r = {0};
	uint64_t delay;

	(void)state;
	assert_true(retry_again(&policy, &r, &stats, RETRY_THROTTLED, 7, &delay));
	assert_true(delay >= UINT64_C(7000000000) && delay < UINT64_C(7500000000));
}

static void text(void **state)
{
	struct retry_stats stats = {0};
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	stats.count[RETRY_THROTTLED] = 3;
	stats.count[RETRY_SERVER] = 1;
	retry_stats_text(&stats, &b);
	assert_string_equal(b.ptr, "3 throttled, 1 5xx");
	for (unsigned i = 0; i < RETRY_REASONS; i++)
		assert_non_null(retry_reason_name(i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits), cmocka_unit_test(attempts_are_shared), cmocka_unit_test(budget),
		cmocka_unit_test(jitter), cmocka_unit_test(retry_after),	 cmocka_unit_test(text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
