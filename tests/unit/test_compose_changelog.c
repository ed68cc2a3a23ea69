/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "compose/changelog.h"

static const char text[] = "pkg (1:2.0-3) unstable; urgency=high\n\n"
			   "  * Fix CVE-2024-1000, CVE-2024-100000 and CVE-2024-1000 again.\n\n"
			   " -- A <a@example.org>  Thu, 01 Jan 2026 00:00:00 +0000\n\n"
			   "pkg (1:2.0-2) unstable; urgency=low\n\n"
			   "  * xCVE-2023-0001; no CVE-2023-001, CVE-1-2, CVE-2023-, CVE-202a-1111, CVE\n"
			   "  (1:1.0-1) is no heading: CVE-2023-0002\n\n"
			   "pkg (1:1.0-1) unstable; urgency=low\n\n"
			   "  * CVE-2020-0001\n";

/* The ids, joined by a space. */
static char *cves(const char *changelog, size_t len, const char *since)
{
	_cleanup_strlist_ struct strlist l = {0};
	struct buf b = {0};

	changelog_cves(changelog, len, since, &l);
	for (size_t i = 0; i < l.len; i++)
		buf_printf(&b, "%s%s", i ? " " : "", l.ptr[i]);
	return buf_steal(&b);
}

static void expect(const char *since, const char *want)
{
	_cleanup_free_ char *got = cves(text, strlen(text), since);

	assert_string_equal(got, want);
}

static void test_since(void **state)
{
	(void)state;
	expect("1:2.0-3", "");
	expect("1:2.0-2", "CVE-2024-1000 CVE-2024-100000");
	expect("1:1.0-1", "CVE-2024-1000 CVE-2024-100000 CVE-2023-0001 CVE-2023-0002");
	/* Unknown: of the newest entry alone. */
	expect("0.1", "CVE-2024-1000 CVE-2024-100000");
	expect("", "CVE-2024-1000 CVE-2024-100000");
}

static void test_odd_texts(void **state)
{
	static const char *const odd[] = {
		"", "\n", "(", "pkg (", "pkg ()", "pkg (1", ")(", " CVE-2020-1000\n", "pkg (1)\n CVE-2020-"};

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		_cleanup_free_ char *exact = xmemdup(odd[i], strlen(odd[i]) + 1);
		_cleanup_free_ char *got = cves(exact, strlen(exact), "1");

		assert_string_equal(got, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_since), cmocka_unit_test(test_odd_texts)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
