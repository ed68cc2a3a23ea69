/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "cloud/meter.h"

#define SECOND 1000000000ull

static char *text_at(const struct meter *m, uint64_t now, unsigned width, const struct retry_stats *retries)
{
	struct buf b = {0};

	meter_text(m, now, width, retries, &b);
	return buf_steal(&b);
}

static void test_text(void **state)
{
	struct meter m = {.total = 2048, .done = 512, .started_ns = SECOND, .in_flight = 64};
	struct retry_stats retries = {.count = {[RETRY_THROTTLED] = 3, [RETRY_SERVER] = 1}};
	_cleanup_free_ char *bar = text_at(&m, 3 * SECOND, 20, &retries);
	_cleanup_free_ char *early = text_at(&m, SECOND, 0, NULL);

	(void)state;
	assert_string_equal(
		bar, "[#####...............] 256.0 of 1024.0 MiB, 25 %, 128.0 MiB/s, 0:06 left, 64 at a "
		     "time, again: 3 throttled, 1 5xx");
	assert_string_equal(early, "256.0 of 1024.0 MiB, 25 %, 64 at a time");
}

/* What was there before is in the share, but not in the rate. */
static void test_resumed(void **state)
{
	struct meter m = {.total = 1000, .done = 600, .skipped = 500, .started_ns = SECOND};
	_cleanup_free_ char *text = text_at(&m, 11 * SECOND, 0, NULL);

	(void)state;
	assert_string_equal(text, "300.0 of 500.0 MiB, 60 %, 5.0 MiB/s, 0:40 left");
}

static void test_slow(void **state)
{
	struct meter m = {.total = 8192, .done = 2, .started_ns = 0};
	_cleanup_free_ char *text = text_at(&m, 10 * SECOND, 0, NULL);

	(void)state;
	assert_string_equal(text, "1.0 of 4096.0 MiB, 0 %, 0.1 MiB/s, 11:22:30 left");
}

static void test_uncounted(void **state)
{
	struct meter m = {.started_ns = SECOND};
	_cleanup_free_ char *text = text_at(&m, 8 * SECOND, 20, NULL);

	(void)state;
	assert_string_equal(text, "7 s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_resumed),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_uncounted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
