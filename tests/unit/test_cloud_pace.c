/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "cloud/pace.h"

#define MS    1000000ull
#define BLOCK (512u * 1024)

/* One round trip: as many blocks as may be under way, all taking @took_ns. Returns the time after it. */
static uint64_t run_round(struct pace *p, uint64_t now, uint64_t took_ns)
{
	unsigned n = p->limit;

	for (unsigned i = 0; i < n; i++)
		pace_success(p, BLOCK, took_ns, now + took_ns);
	return now + took_ns;
}

/* Few round trips to all connections: doubling, not one by one. */
static void test_start(void **state)
{
	struct pace p;
	uint64_t now = 1;

	(void)state;
	pace_init(&p, 64, now);
	assert_int_equal(p.limit, 8);
	now = run_round(&p, now, 100 * MS);
	assert_int_equal(p.limit, 16);
	now = run_round(&p, now, 100 * MS);
	now = run_round(&p, now, 100 * MS);
	assert_int_equal(p.limit, 64);
	run_round(&p, now, 100 * MS);
	assert_int_equal(p.limit, 64);
}

/* A full line: the time doubles, and no more connections are opened. */
static void test_full_line(void **state)
{
	struct pace p;
	uint64_t now = 1;

	(void)state;
	pace_init(&p, 64, now);
	now = run_round(&p, now, 100 * MS);
	now = run_round(&p, now, 250 * MS);
	assert_int_equal(p.limit, 16);
	now = run_round(&p, now, 250 * MS);
	assert_int_equal(p.limit, 16);
	/* When it is free again, one more a round. */
	now = run_round(&p, now, 110 * MS);
	assert_int_equal(p.limit, 17);
}

/* A few late answers among quick ones are no full line. */
static void test_noise(void **state)
{
	struct pace p;
	uint64_t now = 1;

	(void)state;
	pace_init(&p, 64, now);
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0, n = p.limit; i < n; i++)
			pace_success(&p, BLOCK, (i % 3 ? 900 : 100) * MS, now);
		now += 1000 * MS;
	}
	assert_int_equal(p.limit, 64);
}

/* Throttled: 30 % less, once for all that was on its way together; then up by one a round. */
static void test_slow_down(void **state)
{
	struct pace p;
	uint64_t now = 1;

	(void)state;
	pace_init(&p, 64, now);
	for (int i = 0; i < 3; i++)
		now = run_round(&p, now, 100 * MS);
	for (int i = 0; i < 64; i++)
		pace_slow_down(&p, now + (uint64_t)i);
	assert_int_equal(p.limit, 44);
	now = run_round(&p, now, 100 * MS);
	assert_int_equal(p.limit, 45);
	for (int i = 0; i < 100; i++) {
		now += 200 * MS;
		pace_slow_down(&p, now);
	}
	assert_int_equal(p.limit, 1);
	run_round(&p, now, 100 * MS);
	assert_int_equal(p.limit, 2);
}

static void test_rate(void **state)
{
	struct pace p;
	uint64_t now = 1, begun = 0;

	(void)state;
	pace_init(&p, 128, now);
	/* Ten seconds in which one begins as soon as it may. */
	while (now < 10000 * MS) {
		uint64_t wait = pace_wait_ns(&p, now);

		now += wait;
		if (wait == 0) {
			pace_begin(&p, now);
			begun++;
		}
	}
	assert_in_range(begun, 10 * PACE_PUTS_PER_SECOND - 10, 10 * PACE_PUTS_PER_SECOND + 50);
}

/*
 * A service that takes 20 a second: what it refuses is soon a small part of what is asked. A simulation in steps of a millisecond, each answer
 * after 50 ms.
 */
static void test_throttled_service(void **state)
{
	struct pace p;
	double tokens = 4;
	unsigned in_flight = 0, taken = 0, refused = 0, asked[50] = {0};

	(void)state;
	pace_init(&p, 64, 1);
	for (uint64_t ms = 1; ms < 60000; ms++) {
		uint64_t now = ms * MS;
		unsigned *answered = &asked[ms % 50];

		tokens = tokens + 0.02 < 4 ? tokens + 0.02 : 4;
		for (; *answered > 0; --*answered) {
			in_flight--;
			if (tokens >= 1) {
				tokens -= 1;
				taken++;
				pace_success(&p, BLOCK, 50 * MS, now);
			} else {
				refused += ms > 10000;
				pace_slow_down(&p, now);
			}
		}
		while (in_flight < p.limit && pace_wait_ns(&p, now) == 0) {
			pace_begin(&p, now);
			in_flight++;
			++*answered;
		}
	}
	assert_in_range(taken, 1000, 1210);
	assert_in_range(refused, 1, 500);
}

/* 64 blocks on 10 Mbit/s take 27 s each: the limit is not a fixed 20 s. */
static void test_timeout(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, 64, 1);
	assert_int_equal(pace_timeout_ms(&p, 8, BLOCK), 60000);
	pace_success(&p, 1250000, 100 * MS, 1000 * MS + 1);
	assert_in_range(pace_timeout_ms(&p, 63, BLOCK), 107000, 108000);
	pace_success(&p, 1250000000, 100 * MS, 2000 * MS + 1);
	assert_int_equal(pace_timeout_ms(&p, 63, BLOCK), 20000);
	/* A line that nearly stands still is not waited for for ever. */
	pace_init(&p, 64, 1);
	pace_success(&p, 1000, 100 * MS, 1000 * MS + 1);
	assert_int_equal(pace_timeout_ms(&p, 63, BLOCK), 600000);
}

static void test_few(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, 2, 1);
	assert_int_equal(p.limit, 2);
	run_round(&p, 1, 100 * MS);
	assert_int_equal(p.limit, 2);
	pace_init(&p, 0, 1);
	assert_in_range(p.max, 64, 128);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),	cmocka_unit_test(test_full_line),
		cmocka_unit_test(test_noise),	cmocka_unit_test(test_slow_down),
		cmocka_unit_test(test_rate),	cmocka_unit_test(test_throttled_service),
		cmocka_unit_test(test_timeout), cmocka_unit_test(test_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
