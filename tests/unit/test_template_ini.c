/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "template/ini.h"

/* The items as "line|section|key|value\n". */
static char *dump(const char *text, size_t len)
{
	_cleanup_ini_ struct ini ini = {0};
	struct error err = ERROR_INIT;
	struct buf b = {0};

	if (ini_parse(text, len, "f", &ini, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < ini.len; i++)
		buf_printf(&b, "%u|%s|%s|%s\n", ini.items[i].line, ini.items[i].section,
			   ini.items[i].key ? ini.items[i].key : "-",
			   ini.items[i].value ? ini.items[i].value : "-");
	return buf_steal(&b);
}

#define assert_items(text, expected)                        \
	do {                                                \
		char *_s = dump("" text, sizeof(text) - 1); \
		assert_string_equal(_s, expected);          \
		free(_s);                                   \
	} while (0)

static void refused(const char *text, size_t len, const char *expected)
{
	struct ini ini = {0};
	struct error err = ERROR_INIT;

	assert_int_equal(ini_parse(text, len, "f", &ini, &err), -EINVAL);
	assert_int_equal(err.exit, EXIT_USAGE);
	assert_string_equal(err.text, expected);
	assert_null(ini.items);
}

#define assert_refused(text, expected) refused("" text, sizeof(text) - 1, expected)

static void test_sections_and_values(void **state)
{
	(void)state;
	assert_items("[A]\nX=1\n Y = 2 3 \n\n[ B ]\nX=\n[A]\nX==a=b",
		     "1|A|-|-\n2|A|X|1\n3|A|Y|2 3\n5|B|-|-\n6|B|X|\n"
		     "7|A|-|-\n8|A|X|=a=b\n");
	assert_items("", "");
	assert_items("\n\n", "");
}

static void test_comments(void **state)
{
	(void)state;
	assert_items("# a\n; b\n  # c\n[A]\n#X=1\nX=1 # not one\nY=a;b\n",
		     "4|A|-|-\n6|A|X|1 # not one\n7|A|Y|a;b\n");
}

static void test_line_ends(void **state)
{
	(void)state;
	assert_items("\xef\xbb\xbf[A]\r\nX=1\r\nY=2", "1|A|-|-\n2|A|X|1\n3|A|Y|2\n");
	assert_items("[A]\r\nX=1 \\\r\n  2\r\n", "1|A|-|-\n2|A|X|1 2\n");
}

static void test_continuation(void **state)
{
	(void)state;
	assert_items("[A]\nX=a  \\\n  b\\\n# comment\n  c\nY=1\n", "1|A|-|-\n2|A|X|a b c\n6|A|Y|1\n");
	assert_items("[A]\nX=\\\na\\\n\nY=1\n", "1|A|-|-\n2|A|X|a\n5|A|Y|1\n");
	assert_items("[A]\nX=a\\\\\nY=1\n", "1|A|-|-\n2|A|X|a\\\\\n3|A|Y|1\n");
	assert_items("[A]\nX=a\\\\\\\nb\n", "1|A|-|-\n2|A|X|a\\\\ b\n");
}

static void test_long_values_stay_whole(void **state)
{
	_cleanup_buf_ struct buf text = {0};
	_cleanup_ini_ struct ini ini = {0};
	struct error err = ERROR_INIT;

	(void)state;
	buf_printf(&text, "[A]\nX=");
	for (int i = 0; i < 100000; i++)
		buf_add(&text, "x", 1);
	assert_int_equal(ini_parse(text.ptr, text.len, "f", &ini, &err), 0);
	assert_int_equal(strlen(ini.items[1].value), 100000);
}

static void test_refusals(void **state)
{
	(void)state;
	assert_refused("X=1\n", "f:1: 'X=' stands before the first [Section]");
	assert_refused("[A]\nwords\n", "f:2: 'words' is neither [Section] nor Key=value nor a comment");
	assert_refused("[A]\n=1\n", "f:2: no key before the '='");
	assert_refused("[A]\n[]\n", "f:2: the section has no name");
	assert_refused("[A\n", "f:1: '[A': a section's line ends in ']'");
	assert_refused("[A] # x\n",
		       "f:1: '[A] # x': a section's line ends in ']' (a comment needs a line of its own)");
	assert_refused("[\n", "f:1: '[': a section's line ends in ']'");
	assert_refused("[A]\nX=a\0b\n", "f:2: NUL byte in column 4; this is not a text file");
	assert_refused("[A]\nX=a\x1b[m\n", "f:2: control character 0x1b in column 4; remove it");
	assert_refused("[A]\nX=a\rb\n", "f:2: control character 0x0d in column 4; remove it");
	assert_refused("[A]\n\nX=a \\\nb\\\n", "f:3: the file ends behind a backslash; remove it");
	assert_refused("[A]\nX=a\\ \nb\n", "f:2: blanks behind the backslash at the end; remove them");
}

static void test_size_is_limited(void **state)
{
	_cleanup_free_ char *text = xcalloc(1, INI_MAX_SIZE + 1);
	struct ini ini = {0};
	struct error err = ERROR_INIT;

	(void)state;
	memset(text, '\n', INI_MAX_SIZE + 1);
	assert_int_equal(ini_parse(text, INI_MAX_SIZE, "f", &ini, &err), 0);
	assert_int_equal(ini_parse(text, INI_MAX_SIZE + 1, "f", &ini, &err), -EINVAL);
	assert_string_equal(err.text, "f: larger than 1048576 bytes; this is not a template");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sections_and_values),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_continuation),
		cmocka_unit_test(test_long_values_stay_whole),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_size_is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
