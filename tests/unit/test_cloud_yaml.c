/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "cloud/yaml.h"
#include "lib/cleanup.h"

/* The JSON of a text, or its error; to be freed. */
static char *parsed(const char *text)
{
	_cleanup_json_ struct json *j = NULL;
	struct error err = ERROR_INIT;

	if (yaml_parse(text, strlen(text), "f.yaml", &j, &err) < 0)
		return xstrdup(err.text);
	return js_text(j, true);
}

static void assert_parsed(const char *text, const char *want)
{
	_cleanup_free_ char *got = parsed(text);

	assert_string_equal(got, want);
}

static void test_values(void **state)
{
	(void)state;
	assert_parsed("", "{}");
	assert_parsed("# nothing\n", "{}");
	assert_parsed("a: 1\nb: {c: true, d: [x, 'y: z', \"\\n\"]}\n",
		      "{\"a\":\"1\",\"b\":{\"c\":\"true\",\"d\":[\"x\",\"y: z\",\"\\n\"]}}");
	assert_parsed("a:\nb: ~\nc: null\nd: 'null'\ne: ''\n",
		      "{\"a\":null,\"b\":null,\"c\":null,\"d\":\"null\",\"e\":\"\"}");
	assert_parsed("clouds:\n  dev:\n    auth:\n      password: p@ss #1\n",
		      "{\"clouds\":{\"dev\":{\"auth\":{\"password\":\"p@ss\"}}}}");
	assert_parsed("text: |\n  two\n  lines\n", "{\"text\":\"two\\nlines\\n\"}");
}

static void assert_refused(const char *text, const char *why)
{
	_cleanup_free_ char *got = parsed(text);

	assert_contains(got, why);
}

static void test_refused(void **state)
{
	_cleanup_buf_ struct buf deep = {0};
	_cleanup_json_ struct json *j = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_refused("a: &x 1\nb: *x\n", "f.yaml:2: aliases are not taken");
	assert_refused("a: 1\na: 2\n", "f.yaml:2: this key is there twice");
	assert_refused("? [a]\n: b\n", "f.yaml:1: a key must be a name");
	assert_refused("a: 1\n---\nb: 2\n", "only one document");
	assert_refused("a: [1\n", "f.yaml:");
	assert_refused("a: \"x\\0y\"\n", "holds a NUL");
	for (int i = 0; i < 40; i++)
		buf_add(&deep, "[", 1);
	assert_int_equal(yaml_parse(deep.ptr, deep.len, "f.yaml", &j, &err), -EINVAL);
	assert_contains(err.text, "nested too deeply");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_refused)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
