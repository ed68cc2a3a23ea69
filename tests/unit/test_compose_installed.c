/* SPDX-License-Identifier: Apache-2.0 */
/* What a source notes of its packages comes back as it was; what is not such a note is refused. */
#include "unit.h"

#include "compose/installed.h"

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void test_round_trip(void **state)
{
	_cleanup_installed_ struct installed l = {0}, back = {0};
	_cleanup_buf_ struct buf note = {0};
	struct error err = ERROR_INIT;
	struct installed_package *p;

	(void)state;
	p = installed_add(&l, "rpm", "zlib", "1:1.2-3", "x86_64");
	p->sha256 = xstrdup(DIGEST);
	p->repository = xstrdup("http://repo.example.org/");
	installed_add(&l, "deb", "bash", "5.2", "amd64");
	installed_sort(&l);
	installed_note(&l, &note);
	assert_string_equal(note.ptr,
			    "[{\"type\":\"deb\",\"name\":\"bash\",\"version\":\"5.2\",\"arch\":\"amd64\"},"
			    "{\"type\":\"rpm\",\"name\":\"zlib\",\"version\":\"1:1.2-3\",\"arch\":\"x86_64\","
			    "\"repository\":\"http://repo.example.org/\",\"sha256\":\"" DIGEST "\"}]");
	assert_int_equal(installed_parse(note.ptr, "note", &back, &err), 0);
	assert_int_equal(back.len, 2);
	assert_string_equal(back.list[1].repository, "http://repo.example.org/");
	assert_null(back.list[1].license);
}

static void test_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[1]",
		"[{\"type\":\"deb\",\"name\":\"a\",\"version\":\"1\"}]",
		"[{\"type\":1,\"name\":\"a\",\"version\":\"1\",\"arch\":\"x\"}]",
		"[{\"type\":\"deb\",\"name\":\"a b\",\"version\":\"1\",\"arch\":\"x\"}]",
		"[{\"type\":\"deb\",\"name\":\"a\",\"version\":\"1\",\"arch\":\"x\",\"sha256\":\"00FF\"}]",
		"[{\"type\":\"deb\",\"name\":\"a\",\"version\":\"1\",\"arch\":\"x\",\"license\":\"\"}]",
		"[{\"type\":\"deb\",\"name\":\"a\",\"version\":\"1\",\"arch\":\"x\",\"vendor\":\"a\\nb\"}]"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		_cleanup_installed_ struct installed back = {0};
		struct error err = ERROR_INIT;

		assert_true(installed_parse(bad[i], "note", &back, &err) < 0);
		assert_int_equal(back.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refuses)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
