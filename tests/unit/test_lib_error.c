/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

static void test_set(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(err.exit, EXIT_FAILED);
	assert_int_equal(err.code, 0);
	assert_int_equal(error_set(&err, -EIO, "%s: block %d", "disk", 7), -EIO);
	assert_int_equal(err.code, -EIO);
	assert_int_equal(err.exit, EXIT_FAILED);
	assert_string_equal(err.text, "disk: block 7");
}

static void test_errno(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(error_errno(&err, -ENOENT, "a"), -ENOENT);
	assert_string_equal(err.text, "a: No such file or directory");
}

static void test_exit_codes_stay_through_prefixes(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(error_usage(&err, "bad"), -EINVAL);
	assert_int_equal(err.exit, EXIT_USAGE);
	assert_int_equal(error_prefix(&err, "%s:%d", "f", 3), -EINVAL);
	assert_string_equal(err.text, "f:3: bad");
	assert_int_equal(err.exit, EXIT_USAGE);

	assert_int_equal(error_refuse(&err, "altered"), -EBADMSG);
	assert_int_equal(error_prefix(&err, "root"), -EBADMSG);
	assert_string_equal(err.text, "root: altered");
	assert_int_equal(err.exit, EXIT_REFUSED);
}

static void test_messages_are_one_line(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	(void)!error_set(&err, -EIO, "%s", "a\nb\x1b[31m\x7f\xc3\xa4\xc2\x9b");
	assert_string_equal(err.text, "a?b?[31m?\xc3\xa4??");
	error_prefix(&err, "%s", "x\ty");
	assert_string_equal(err.text, "x?y: a?b?[31m?\xc3\xa4??");
}

static void assert_cause(const struct error *err)
{
	const char *colon = strrchr(err->text, ':');

	assert_non_null(colon);
	assert_string_equal(colon, ": Input/output error");
}

static void test_long_messages_are_cut(void **state)
{
	struct error err = ERROR_INIT;
	char text[4096];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	(void)!error_errno(&err, -EIO, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_cause(&err);
	error_prefix(&err, "where");
	assert_int_equal(strncmp(err.text, "where: xxx", 10), 0);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_cause(&err);
	error_prefix(&err, "%s", text);
	assert_int_equal(err.code, -EIO);
	assert_cause(&err);
	(void)!error_set(&err, -EIO, "%s%s: Input/output error", text, text);
	assert_cause(&err);
}

/* No character is cut in two. */
static void test_long_messages_stay_text(void **state)
{
	struct error err = ERROR_INIT;
	char text[4097];

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		memset(text, 'x', 3);
		for (size_t i = shift; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 4);
		(void)!error_errno(&err, -EIO, "%s", text);
		assert_cause(&err);
		for (const char *p = err.text + shift; *p != ' '; p += 3)
			assert_memory_equal(p, "\xe2\x82\xac", 3);
		assert_memory_equal(strstr(err.text, " ... ") + 5, "\xe2\x82\xac", 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_exit_codes_stay_through_prefixes),
		cmocka_unit_test(test_messages_are_one_line),
		cmocka_unit_test(test_long_messages_are_cut),
		cmocka_unit_test(test_long_messages_stay_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
