/* SPDX-License-Identifier: Apache-2.0 */
/* The syntax of units: lines, words, specifiers, environments, times. */
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>

#include "compose/unit_env.h"
#include "compose/unit_file.h"
#include "compose/unit_words.h"

static char *joined(const struct strlist *l)
{
	_cleanup_buf_ struct buf b = {0};

	for (size_t i = 0; i < l->len; i++)
		buf_printf(&b, "<%s>", l->ptr[i]);
	return buf_steal(&b);
}

/* ---- lines ---- */

static void test_lines(void **state)
{
	static const char text[] =
		"\xef\xbb\xbf[Unit]\nDescription = a = b \n# comment\n ; another\n\n"
		"[Service]\r\nExecStart=/a \\\n# in between\n  b \\\\\nKey=\\\n c\\\nEmpty=";
	_cleanup_unit_file_ struct unit_file u = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(unit_file_parse(text, sizeof(text) - 1, "/u", &u, &err), 0);
	assert_int_equal(u.len, 3);
	assert_string_equal(u.items[0].section, "Unit");
	assert_string_equal(u.items[0].key, "Description");
	assert_string_equal(u.items[0].value, "a = b");
	assert_string_equal(u.items[1].section, "Service");
	assert_string_equal(u.items[1].value, "/a    b \\\\");
	assert_string_equal(unit_item_place(&u, &u.items[1]), "/u:7");
	assert_string_equal(u.items[2].key, "Key");
	assert_string_equal(u.items[2].value, "c Empty=");
	assert_int_equal(u.items[2].line, 10);
}

static void test_lines_refused(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *says;
	} cases[] = {
		{"[Unit]\nA=1\n[Service\n", 20, "/u:3: '[Service': the section's ']' is missing"},
		{"[Unit]\nA=\0\n", 11, "/u: holds a NUL byte"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_unit_file_ struct unit_file u = {0};
		struct error err = ERROR_INIT;

		assert_int_equal(unit_file_parse(cases[i].text, cases[i].len, "/u", &u, &err), -EINVAL);
		assert_contains(err.text, cases[i].says);
	}
}

static void test_limits(void **state)
{
	_cleanup_unit_file_ struct unit_file u = {0};
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	(void)state;
	buf_printf(&b, "[Service]\n");
	for (int i = 0; i < 5000; i++)
		buf_printf(&b, "A=\n");
	assert_int_equal(unit_file_parse(b.ptr, b.len, "/u", &u, &err), -E2BIG);
	assert_contains(err.text, "more than 4096 settings");
	buf_add_zero(&b, UNIT_FILE_MAX);
	assert_int_equal(unit_file_parse(b.ptr, b.len, "/u", &u, &err), -EFBIG);
}

/* What is no assignment is passed over, as systemd does it. */
static void test_lines_passed_over(void **state)
{
	static const char text[] = "A=1\n[Unit]\nnothing\n=x\nB=2";
	_cleanup_unit_file_ struct unit_file u = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(unit_file_parse(text, sizeof(text) - 1, "/u", &u, &err), 0);
	assert_int_equal(u.len, 1);
	assert_string_equal(u.items[0].key, "B");
}

/* ---- words ---- */

static void test_words(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"", ""},
		{"  a\tb ", "<a><b>"},
		{"'a b' \"c d\" e'f g'h ''", "<a b><c d><ef gh><>"},
		{"a\\x20b \\s \\t\\n\\\\ \\\"", "<a b>< ><\t\n\\><\">"},
		{"'\\'' \\101\\u00e4\\U0001f600", "<'><A\xc3\xa4\xf0\x9f\x98\x80>"},
		{"\\d \\. \\x2 \\400 a\\", "<\\d><\\.><\\x2><\\400><a\\>"},
		{"\\x00 \\000", "<\\x00><\\000>"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_strlist_ struct strlist l = {0};
		_cleanup_free_ char *text = NULL;
		struct error err = ERROR_INIT;

		assert_int_equal(unit_words(cases[i].text, &l, &err), 0);
		text = joined(&l);
		assert_string_equal(text, cases[i].words);
	}
}

static void test_open_quote(void **state)
{
	_cleanup_strlist_ struct strlist l = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(unit_words("a 'b c", &l, &err), -EINVAL);
	assert_string_equal(err.text, "the quote in 'b c does not end");
}

static void test_specifiers(void **state)
{
	static const struct {
		const char *name, *text, *result;
	} cases[] = {
		{"a-b@c\\x2dd-e.service", "%n|%N|%p|%P|%i|%I|%j|%J|%f",
		 "a-b@c\\x2dd-e.service|a-b@c\\x2dd-e|a-b|a/b|c\\x2dd-e|c-d/e|b|b|/c-d/e"},
		{"app.service", "%n|%N|%p|%i|%j|%f", "app.service|app|app||app|/app"},
		{"app.service", "%% %H %l %a %t %S %C %L %E %T %V %h %u %U %s 100%",
		 "% host.example host x86-64 /run /var/lib /var/cache /var/log /etc /tmp /var/tmp /root root 0 "
		 "/bin/sh 100%"},
	};
	struct error err = ERROR_INIT;
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct unit_names n = {cases[i].name, "host.example", "x86-64"};

		assert_int_equal(unit_specifiers(cases[i].text, &n, &text, &err), 0);
		assert_string_equal(text, cases[i].result);
		free(text);
	}
	assert_int_equal(unit_specifiers("x-%m", &(struct unit_names){"a.service", "h", "x"}, &text, &err),
			 -EINVAL);
	assert_string_equal(err.text, "'x-%m': what %m stands for is not known while an image is built");
}

static void test_template_names(void **state)
{
	char *text = unit_template_name("a@b.service");

	(void)state;
	assert_string_equal(text, "a@.service");
	free(text);
	assert_null(unit_template_name("a@.service"));
	assert_null(unit_template_name("a.service"));
	assert_null(unit_template_name("a@b"));
}

static void test_seconds(void **state)
{
	static const struct {
		const char *text;
		unsigned seconds;
	} cases[] = {
		{"5", 5},
		{"90s", 90},
		{"5min 20s", 320},
		{"1h30min", 5400},
		{"infinity", UINT_MAX},
		{"500ms", 1},
		{"1.5s", 2},
		{"1min30", 90},
		{"2 min", 120},
		{"1month", 2629800},
		{"99999999999999999", UINT_MAX - 1},
	};
	static const char *const bad[] = {"", "s", "5 parsecs", "-1", "5s x", "infinite"};
	struct error err = ERROR_INIT;
	unsigned n;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (unit_seconds(cases[i].text, &n, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(n, cases[i].seconds);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(unit_seconds(bad[i], &n, &err), -EINVAL);
}

static void test_signals(void **state)
{
	struct error err = ERROR_INIT;
	int n;

	(void)state;
	assert_int_equal(unit_signal("SIGQUIT", &n, &err), 0);
	assert_int_equal(n, SIGQUIT);
	assert_int_equal(unit_signal("INT", &n, &err), 0);
	assert_int_equal(n, SIGINT);
	assert_int_equal(unit_signal("SIGRTMIN+3", &n, &err), 0);
	assert_int_equal(n, 37);
	assert_int_equal(unit_signal("15", &n, &err), 0);
	assert_int_equal(n, 15);
	assert_int_equal(unit_signal("", &n, &err), -EINVAL);
	assert_int_equal(unit_signal("SIGNONE", &n, &err), -EINVAL);
	assert_int_equal(unit_signal("65", &n, &err), -EINVAL);
	assert_int_equal(unit_signal("RTMIN+99", &n, &err), -EINVAL);
}

/* ---- environment ---- */

static void test_environment_file(void **state)
{
	static const char text[] =
		"# a comment \\\nthat goes on\nA=1\n B = two words  \nC='x y'\"z\"\n"
		"D=\"a \\\"b\\\" \\$c \\d\"\nE=a\\ b\\\nc\n;F=6\nnothing\n2=x\nA=3\nG=\nH=\"two\nlines\"\n"
		"I=it's\nJ='open";
	_cleanup_strlist_ struct strlist env = {0};
	_cleanup_free_ char *all = NULL;

	(void)state;
	env_parse_file(text, sizeof(text) - 1, "/etc/default/x", &env);
	all = joined(&env);
	assert_string_equal(all,
			    "<A=3><B=two words><C=x yz><D=a \"b\" $c \\d><E=a bc><G=><H=two\nlines><I=it's>"
			    "<J=open>");
}

static void test_expansion(void **state)
{
	static const struct {
		const char *words, *result;
	} cases[] = {
		{"/a $TWO ${TWO} x${TWO}y", "</a><1><2 3><1 '2 3'><x1 '2 3'y>"},
		{"/a $$TWO $${TWO} a$TWO $ ${TWO", "</a><$TWO><${TWO}><a$TWO><$><${TWO>"},
		{"/a $NONE ${NONE} $EMPTY", "</a><>"},
	};
	_cleanup_strlist_ struct strlist env = {0}, unset = {0};
	struct error err = ERROR_INIT;

	(void)state;
	strlist_add(&env, "TWO=1 '2 3'");
	strlist_add(&env, "EMPTY=");
	strlist_add(&env, "BAD='");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_strlist_ struct strlist words = {0}, l = {0};
		_cleanup_free_ char *text = NULL;

		assert_int_equal(unit_words(cases[i].words, &words, &err), 0);
		assert_int_equal(env_expand(&words, &env, &l, &unset, &err), 0);
		text = joined(&l);
		assert_string_equal(text, cases[i].result);
	}
	assert_int_equal(unset.len, 2);
	assert_string_equal(unset.ptr[0], "NONE");
	strlist_free(&unset);
	strlist_add(&unset, "$BAD");
	assert_int_equal(env_expand(&unset, &env, &env, &env, &err), -EINVAL);
	assert_contains(err.text, "$BAD: the quote in ' does not end");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_lines_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_lines_passed_over),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_open_quote),
		cmocka_unit_test(test_specifiers),
		cmocka_unit_test(test_template_names),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_environment_file),
		cmocka_unit_test(test_expansion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
