/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "lib/background.h"

static int add_one(void *user, struct error *err)
{
	int *n = user;

	if (++*n < 10)
		return 0;
	return error_set(err, -ERANGE, "%d is too many", *n);
}

static void test_result(void **state)
{
	struct background b = {0};
	struct error err = ERROR_INIT;
	int n = 0;

	(void)state;
	assert_int_equal(background_wait(&b, &err), 0); /* nothing was started */
	background_start(&b, add_one, &n);
	assert_int_equal(background_wait(&b, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(background_wait(&b, &err), 0); /* once */
	n = 9;
	background_start(&b, add_one, &n);
	assert_int_equal(background_wait(&b, &err), -ERANGE);
	assert_string_equal(err.text, "10 is too many");
	background_start(&b, add_one, &n);
	background_end(&b);
	assert_int_equal(n, 11);
}

/* After it nothing runs, and no result is lost. */
static void test_settle(void **state)
{
	struct background good = {0}, bad = {0}, waited = {0};
	struct error err = ERROR_INIT;
	int one = 1, nine = 9, two = 2;

	(void)state;
	background_settle(); /* there is nothing */
	background_start(&good, add_one, &one);
	background_start(&waited, add_one, &two);
	background_start(&bad, add_one, &nine);
	assert_int_equal(background_wait(&waited, &err), 0);
	background_settle();
	assert_int_equal(one, 2);
	assert_int_equal(nine, 10);
	assert_false(good.threaded || bad.threaded);
	background_settle();
	assert_int_equal(background_wait(&good, &err), 0);
	assert_int_equal(background_wait(&bad, &err), -ERANGE);
	assert_string_equal(err.text, "10 is too many");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_result), cmocka_unit_test(test_settle)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
