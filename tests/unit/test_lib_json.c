/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <math.h>

#include "lib/json.h"

static void assert_text(struct json *j, const char *expected)
{
	_cleanup_free_ char *text = js_text(j, true);

	assert_string_equal(text, expected);
}

/* ---- writing ---- */

static void test_order_is_kept(void **state)
{
	_cleanup_json_ struct json *j = js_object_new();
	struct json *list = js_array_new(), *inner = js_object_new();

	(void)state;
	js_set_string(j, "z", "text");
	js_set_int(j, "a", INT64_MIN);
	js_set_bool(j, "m", true);
	js_set_string(j, "none", NULL);
	js_set_bytes(j, "bytes", "\x00\xff", 2);
	js_append_string(list, "x");
	js_append_int(list, 7);
	js_set_bool(inner, "k", false);
	js_append(list, inner);
	js_set(j, "list", list);
	assert_text(j,
		    "{\"z\":\"text\",\"a\":-9223372036854775808,\"m\":true,\"none\":null,\"bytes\":\"00ff\","
		    "\"list\":[\"x\",7,{\"k\":false}]}");
}

static void test_indented(void **state)
{
	_cleanup_json_ struct json *j = js_object_new();
	_cleanup_free_ char *text = NULL;

	(void)state;
	js_set_int(j, "a", 1);
	text = js_text(j, false);
	assert_string_equal(text, "{\n  \"a\": 1\n}\n");
}

static void test_reals(void **state)
{
	_cleanup_json_ struct json *j = js_object_new();

	(void)state;
	js_set_real(j, "a", 0.1);
	js_set_real(j, "b", -1.5);
	js_set_real(j, "c", (double)INFINITY);
	js_set_real(j, "d", (double)NAN);
	assert_text(j, "{\"a\":0.1,\"b\":-1.5,\"c\":null,\"d\":null}");
}

static void test_foreign_bytes(void **state)
{
	static const char *const cases[][2] = {
		{"\xc3\xa4", "\xc3\xa4"},
		{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
		{"a\xff"
		 "b",
		 "a\xef\xbf\xbd"
		 "b"},
		{"\xc3", "\xef\xbf\xbd"},
		{"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xe0\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xf0\x9f\x98", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_json_ struct json *j = js_object_new();
		_cleanup_free_ char *expected = xasprintf("{\"%s\":\"%s\"}", cases[i][1], cases[i][1]);

		js_set_string(j, cases[i][0], cases[i][0]);
		assert_text(j, expected);
	}
}

/* ---- reading ---- */

static struct json *parse(const char *text)
{
	struct json *j = NULL;
	struct error err = ERROR_INIT;

	if (js_parse(text, strlen(text), "f", &j, &err) < 0)
		fail_msg("%s", err.text);
	return j;
}

static void test_get(void **state)
{
	_cleanup_json_ struct json *j =
		parse("{\"a\":{\"b\":{\"c\":\"x\"}},\"n\":5,\"t\":true,\"r\":0.5,\"l\":[1,\"y\"]}");
	int64_t n = 0;
	bool b = false;

	(void)state;
	assert_true(js_is_object(j));
	assert_string_equal(js_string(js_get(j, "a.b.c")), "x");
	assert_null(js_get(j, "a.x.c"));
	assert_null(js_get(j, "n.x"));
	assert_null(js_get(j, ""));
	assert_null(js_get(NULL, "a"));
	assert_null(js_string(js_get(j, "n")));
	assert_true(js_int(js_get(j, "n"), &n));
	assert_int_equal(n, 5);
	assert_false(js_int(js_get(j, "r"), &n));
	assert_true(js_bool(js_get(j, "t"), &b));
	assert_true(b);
	assert_false(js_bool(js_get(j, "n"), &b));
	assert_true(js_is_array(js_get(j, "l")));
	assert_int_equal(js_array_len(js_get(j, "l")), 2);
	assert_string_equal(js_string(js_array_get(js_get(j, "l"), 1)), "y");
	assert_null(js_array_get(js_get(j, "l"), 2));
	assert_int_equal(js_array_len(j), 0);
	assert_null(js_array_get(j, 0));
}

static void test_need(void **state)
{
	_cleanup_json_ struct json *j = parse("{\"s\":\"x\",\"n\":5,\"h\":\"00fF\"}");
	struct error err = ERROR_INIT;
	const char *s = NULL;
	uint8_t bytes[2];
	int64_t n = 0;

	(void)state;
	assert_int_equal(js_need_string(j, "s", &s, &err), 0);
	assert_string_equal(s, "x");
	assert_int_equal(js_need_string(j, "n", &s, &err), -EINVAL);
	assert_string_equal(err.text, "'n' is missing or not a string");
	assert_int_equal(js_need_int(j, "n", 5, 5, &n, &err), 0);
	assert_int_equal(js_need_int(j, "n", 6, 9, &n, &err), -ERANGE);
	assert_string_equal(err.text, "'n' is 5, not within 6 and 9");
	assert_int_equal(js_need_int(j, "x", 6, 9, &n, &err), -EINVAL);
	assert_string_equal(err.text, "'x' is missing or not an integer");
	assert_int_equal(js_need_bytes(j, "h", bytes, 2, &err), 0);
	assert_memory_equal(bytes, "\x00\xff", 2);
	assert_int_equal(js_need_bytes(j, "h", bytes, 3, &err), -EINVAL);
	assert_string_equal(err.text, "'h' is not 6 hexadecimal digits");
}

static char *nested(size_t depth)
{
	struct buf b = {0};

	for (size_t i = 0; i < depth; i++)
		buf_add(&b, "[", 1);
	for (size_t i = 0; i < depth; i++)
		buf_add(&b, "]", 1);
	return buf_steal(&b);
}

static void test_depth(void **state)
{
	_cleanup_free_ char *good = nested(64), *bad = nested(65), *very_bad = nested(100000);
	struct error err = ERROR_INIT;
	struct json *j = NULL;

	(void)state;
	js_free(parse(good));
	js_free(parse(
		"[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\"]"));
	assert_int_equal(js_parse(bad, strlen(bad), "f", &j, &err), -EINVAL);
	assert_string_equal(err.text, "f: not the JSON expected: nested too deep");
	assert_int_equal(js_parse(very_bad, strlen(very_bad), "f", &j, &err), -EINVAL);
	assert_null(j);
}

static void test_bad_text(void **state)
{
	static const char *const bad[] = {
		"",	   "{",	  "{} x",	   "{\"a\":1,\"a\":2}", "[1,]",
		"{'a':1}", "nul", "\"\xff\"",	   "[1e999]",		"[99999999999999999999]",
		"[01]",	   "\"a", "[\"\\u0000\"]", "[\"\\ud800\"]",	"// c\n[]"};
	struct error err = ERROR_INIT;
	struct json *j = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (js_parse(bad[i], strlen(bad[i]), "f", &j, &err) != -EINVAL)
			fail_msg("'%s' is accepted", bad[i]);
		assert_int_equal(strncmp(err.text, "f:", 2), 0);
		assert_null(j);
	}
	assert_int_equal(js_parse(NULL, 0, "f", &j, &err), -EINVAL);
	assert_int_equal(js_parse("{\n  x", 5, "f", &j, &err), -EINVAL);
	assert_int_equal(strncmp(err.text, "f:2:3: not valid JSON: ", 23), 0);
	assert_int_equal(js_parse("[\"a\0b\"]", 7, "f", &j, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_is_kept), cmocka_unit_test(test_indented),
		cmocka_unit_test(test_reals),	      cmocka_unit_test(test_foreign_bytes),
		cmocka_unit_test(test_get),	      cmocka_unit_test(test_need),
		cmocka_unit_test(test_depth),	      cmocka_unit_test(test_bad_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
