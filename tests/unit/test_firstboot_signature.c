/* SPDX-License-Identifier: Apache-2.0 */
/* What the init takes out of the partition root-verity-sig before the kernel judges it. */
#include "../../firstboot/signature.h"
#include "unit.h"

#include <errno.h>

/* Parses a copy of exactly @len bytes into exactly @size, so that a byte too far is seen by the sanitizer. */
static int parse(const char *text, size_t len, size_t size, struct buf *ret)
{
	_cleanup_free_ char *copy = xmemdup(text, len ? len : 1), *out = xmalloc(size ? size : 1);
	size_t n = 0;
	int r = signature_parse(copy, len, out, size, &n);

	buf_free(ret);
	if (r == 0)
		buf_add(ret, out, n);
	return r;
}

static void test_good(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"{\"rootHash\":\"00\",\"certificateFingerprint\":\"11\",\"signature\":\"Zm9vYmFy\"}",
		 "foobar"},
		{"{\"signature\":\"Zm9vYmE=\"}", "fooba"},
		{" {\n\t\"signature\" : \"Zm9vYg==\" ,\r\n \"x\": \"y\" }\n", "foob"},
		{"{\"\\\"\": \"\\\\\", \"signature\":\"Zg==\"}", "f"},
		{"{\"sig\":\"Zg==\",\"signature2\":\"Zg==\",\"signature\":\"Zm8=\"}", "fo"},
	};
	_cleanup_buf_ struct buf got = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(cases[i].text, strlen(cases[i].text), 100, &got), 0);
		assert_string_equal(got.ptr, cases[i].want);
		/* NULs behind it, and room for just that. */
		assert_int_equal(parse(cases[i].text, strlen(cases[i].text) + 1, got.len, &got), 0);
		assert_string_equal(got.ptr, cases[i].want);
	}
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"{}",
		"[\"signature\"]",
		"{\"signature\"}",
		"{\"signature\":}",
		"{\"signature\":\"",
		"{\"signature\":\"\"}",
		"{\"signature\":\"Zg\"}",
		"{\"signature\":\"Zg=\"}",
		"{\"signature\":\"Z===\"}",
		"{\"signature\":\"Zg==Zg==\"}",
		"{\"signature\":\"Zm9 \"}",
		"{\"signature\":\"Zm9\\u0076\"}",
		"{\"signature\":1}",
		"{\"signature\":{\"signature\":\"Zg==\"}}",
		"{\"x\":\"y\\",
		"{\"x\":\"y\" \"signature\":\"Zg==\"}",
		"{\"Signature\":\"Zg==\"}",
	};
	_cleanup_buf_ struct buf got = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i], strlen(bad[i]), 100, &got) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(parse("{\"signature\":\"Zm9vYmFy\"}", 24, 5, &got), -EMSGSIZE);
	assert_int_equal(parse("\0{\"signature\":\"Zg==\"}", 21, 100, &got), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
