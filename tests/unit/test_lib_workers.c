/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/interrupt.h"
#include "lib/workers.h"

#define PIECES 1000

struct work {
	unsigned taken[PIECES]; /* times */
	unsigned total;
	unsigned workers;
	uint64_t fail_at; /* PIECES: never */
};

static int worker(struct workers *w, void *user, struct error *err)
{
	struct work *work = user;
	uint64_t piece;

	__atomic_fetch_add(&work->workers, 1, __ATOMIC_RELAXED);
	while (workers_next(w, &piece)) {
		assert_true(piece < PIECES);
		__atomic_fetch_add(&work->taken[piece], 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&work->total, 1, __ATOMIC_RELAXED);
		if (piece == work->fail_at)
			return error_set(err, -EDOM, "piece %ju", (uintmax_t)piece);
		if (piece == 500 && work->fail_at > PIECES)
			raise(SIGTERM);
	}
	return 0;
}

static void test_each_piece_once(void **state)
{
	static const unsigned threads[] = {0, 1, 2, 7, 1000};

	(void)state;
	for (size_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
		struct work work = {.fail_at = PIECES};
		struct error err = ERROR_INIT;

		assert_int_equal(workers_run(threads[i], PIECES, worker, &work, &err), 0);
		for (size_t j = 0; j < PIECES; j++)
			assert_int_equal(work.taken[j], 1);
	}
}

static void test_no_more_threads_than_pieces(void **state)
{
	struct work work = {.fail_at = PIECES};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(workers_run(8, 0, worker, &work, &err), 0);
	assert_int_equal(work.workers, 0);
	assert_int_equal(workers_run(8, 3, worker, &work, &err), 0);
	assert_in_range(work.workers, 1, 3);
	assert_int_equal(work.total, 3);
}

static void test_failure_stops_all(void **state)
{
	(void)state;
	for (unsigned threads = 1; threads <= 4; threads++) {
		struct work work = {.fail_at = 10};
		struct error err = ERROR_INIT;

		assert_int_equal(workers_run(threads, PIECES, worker, &work, &err), -EDOM);
		assert_string_equal(err.text, "piece 10");
		if (threads == 1)
			assert_int_equal(work.total, 11);
	}
}

static void test_interrupt(void **state)
{
	struct work work = {.fail_at = PIECES + 1};
	struct error err = ERROR_INIT;

	(void)state;
	interrupt_setup();
	assert_int_equal(workers_run(1, PIECES, worker, &work, &err), -EINTR);
	assert_int_equal(work.total, 501);
	interrupt_clear();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_piece_once),
		cmocka_unit_test(test_no_more_threads_than_pieces),
		cmocka_unit_test(test_failure_stops_all),
		cmocka_unit_test(test_interrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
