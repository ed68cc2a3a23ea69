/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/base64.h"

/* RFC 4648, section 10. */
static const char *const vectors[][2] = {
	{"", ""},
	{"f", "Zg=="},
	{"fo", "Zm8="},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"},
};

static void both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		_cleanup_buf_ struct buf text = {0}, data = {0};
		char again[BASE64_SIZE(6)];

		buf_add(&text, "", 0);
		buf_add(&data, "", 0);
		base64_add(&text, vectors[i][0], strlen(vectors[i][0]));
		base64_encode(vectors[i][0], strlen(vectors[i][0]), again);
		assert_string_equal(text.ptr, vectors[i][1]);
		assert_string_equal(again, vectors[i][1]);
		assert_true(base64_decode(text.ptr, text.len, &data));
		assert_int_equal(data.len, strlen(vectors[i][0]));
		assert_memory_equal(data.ptr, vectors[i][0], data.len);
	}
}

static void what_is_none(void **state)
{
	_cleanup_buf_ struct buf data = {0};

	(void)state;
	assert_true(base64_decode("Zg", 2, &data));
	assert_false(base64_decode("Zg-_", 4, &data));
	assert_false(base64_decode("Z=g=", 4, &data));
	assert_false(base64_decode("Zg\0A", 4, &data));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
