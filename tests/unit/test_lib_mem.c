/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

static void test_buf(void **state)
{
	struct buf b = {0};
	char *s;

	(void)state;
	s = buf_steal(&b);
	assert_string_equal(s, "");
	free(s);
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%d,", i);
	assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
	assert_int_equal(b.ptr[b.len], 0);
	buf_add_zero(&b, 3);
	buf_add(&b, "x", 1);
	buf_add(&b, NULL, 0);
	assert_memory_equal(b.ptr + b.len - 5, ",\0\0\0x", 6);
	buf_free(&b);
	assert_null(b.ptr);
	assert_int_equal(b.len, 0);
}

static void test_buf_grows_at_every_size(void **state)
{
	(void)state;
	for (size_t len = 0; len < 1100; len++) {
		_cleanup_buf_ struct buf b = {0};

		buf_add_zero(&b, len);
		buf_add(&b, "ab", 2);
		assert_int_equal(b.len, len + 2);
		assert_true(b.cap > b.len);
		assert_string_equal(b.ptr + len, "ab");
	}
}

static void test_strlist(void **state)
{
	_cleanup_strlist_ struct strlist l = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		strlist_addf(&l, "%d", i);
	strlist_add(&l, "last");
	assert_int_equal(l.len, 101);
	assert_string_equal(l.ptr[99], "99");
	assert_string_equal(l.ptr[100], "last");
	assert_null(l.ptr[101]);
}

static void test_array_grow(void **state)
{
	int *p = NULL;
	size_t len = 0, cap = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		array_grow(p, len, cap);
		p[len++] = i;
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(p[i], i);
	free(p);
}

static void test_zero_sizes(void **state)
{
	(void)state;
	free(xmalloc(0));
	free(xcalloc(0, 8));
	free(xmemdup(NULL, 0));
	free(xrealloc_array(NULL, 0, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf),	   cmocka_unit_test(test_buf_grows_at_every_size),
		cmocka_unit_test(test_strlist),	   cmocka_unit_test(test_array_grow),
		cmocka_unit_test(test_zero_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
