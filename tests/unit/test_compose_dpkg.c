/* SPDX-License-Identifier: Apache-2.0 */
/* Versions and dependencies of Debian packages; dpkg itself is the oracle. */
#include "unit.h"

#include "compose/dpkg.h"
#include "lib/spawn.h"

/* Rising, by deb-version(7). */
static const char *const rising[] = {"0~",     "0",	"1.0~~",    "1.0~rc1", "1.0",
				     "1.0-0a", "1.0-1", "1.0-1+b1", "1.0-1.1", "1.0a",
				     "1.0+b",  "1.0.1", "1.09",	    "1.10",    "2.36-9+deb12u1",
				     "10",     "1:0",	"1:0-1",    "2:0~1"};

#define COUNT (sizeof(rising) / sizeof(rising[0]))

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void test_versions(void **state)
{
	(void)state;
	for (int i = 0; i < (int)COUNT; i++)
		for (int j = 0; j < (int)COUNT; j++)
			assert_int_equal(sign(dpkg_version_compare(rising[i], rising[j])), sign(i - j));
	assert_int_equal(dpkg_version_compare("1.0", "0:1.0"), 0);
	assert_int_equal(dpkg_version_compare("1.00", "1.0"), 0);
	assert_int_equal(dpkg_version_compare("1.0-0", "1.0"), 0);
}

static void test_dpkg_agrees(void **state)
{
	(void)state;
	if (!spawn_available("dpkg"))
		skip();
	for (size_t i = 0; i + 1 < COUNT; i++) {
		const char *const argv[] = {"dpkg", "--compare-versions", rising[i],
					    "lt",   rising[i + 1],	  NULL};
		struct spawn s = {.argv = argv};
		struct error err = ERROR_INIT;

		if (spawn_run(&s, &err) < 0)
			fail_msg("%s is not before %s: %s", rising[i], rising[i + 1], err.text);
	}
}

static void test_depends(void **state)
{
	static const char text[] =
		"Package: a\nStatus: install ok installed\nVersion: 2.0-1\n\n"
		"Package: b\nStatus: deinstall ok config-files\nVersion: 1\n\n"
		"Package: mta\nStatus: install ok installed\nVersion: 1\nProvides: mail-agent (= 3),\n sendmail\n";
	static const struct {
		const char *depends;
		const char *unmet;
	} cases[] = {
		{"", NULL},
		{"a", NULL},
		{" a:any ,a(>= 2.0)", NULL},
		{"a (>= 2.0-1) [amd64], a (<< 3), a (= 2.0-1), a (<= 2.0-1), a (>> 1)", NULL},
		{"a, b", "b"},
		{"b | a", NULL},
		{"mail-agent, sendmail", NULL},
		{"a (>> 2.0-1)", "a (>> 2.0-1)"},
		{"none | b (>= 1), a", "none | b (>= 1)"},
		{"mail", "mail"},
	};
	_cleanup_dpkg_ struct dpkg d = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(dpkg_parse(text, strlen(text), "status", &d, &err), 0);
	assert_int_equal(d.len, 3);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *unmet = dpkg_first_unmet(&d, cases[i].depends);

		if (cases[i].unmet)
			assert_string_equal(unmet, cases[i].unmet);
		else
			assert_null(unmet);
	}
}

static void test_refuses(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{"Package: a\n", "no Version"},
		{"Version: a\n\nPackage: a\n", "no Package"},
		{"Package: a\nnonsense\n", "status:2: is not a line"},
		{": a\n", "status:1: is not a line"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_dpkg_ struct dpkg d = {0};
		struct error err = ERROR_INIT;

		assert_true(dpkg_parse(cases[i].text, strlen(cases[i].text), "status", &d, &err) < 0);
		assert_contains(err.text, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_dpkg_agrees),
		cmocka_unit_test(test_depends),
		cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
