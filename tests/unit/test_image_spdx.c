/* SPDX-License-Identifier: Apache-2.0 */
/* License expressions, package URLs and the document; tests/integration/provenance.sh has the validator of SPDX. */
#include "unit.h"

#include "compose/os_release.h"
#include "image/purl.h"
#include "image/spdx.h"
#include "image/spdx_license.h"

static void test_licenses(void **state)
{
	static const struct {
		const char *text, *expression;
	} cases[] = {
		{"MIT", "MIT"},
		{"mit", "MIT"},
		{"Expat", "MIT"},
		{"GPL-2+", "GPL-2.0-or-later"},
		{"GPLv2+ and (LGPLv2 or MIT)", "GPL-2.0-or-later AND (LGPL-2.0-only OR MIT)"},
		{"GPL-2.0-only WITH Linux-syscall-note", "GPL-2.0-only WITH Linux-syscall-note"},
		{"GPL-3+ with Bison-exception-2.2 AND MIT",
		 "GPL-3.0-or-later WITH Bison-exception-2.2 AND MIT"},
		{"Apache-2.0+", "Apache-2.0+"},
		{"ASL 2.0", "Apache-2.0"},
		{"Public Domain or BSD", "LicenseRef-Public-Domain OR LicenseRef-BSD"},
		{"GPL-2+ with OpenSSL exception", "LicenseRef-GPL-2-with-OpenSSL-exception"},
		{"LicenseRef-Fedora-Public-Domain", "LicenseRef-Fedora-Public-Domain"},
		{"(MIT", "LicenseRef-MIT"},
		{")MIT(", "LicenseRef-MIT-"},
		{"A, and B", "LicenseRef-A- AND LicenseRef-B"},
		{"MIT and", "LicenseRef-MIT-and"},
		{"order", "LicenseRef-order"},
		{"((MIT))", "((MIT))"},
		{"()", "LicenseRef--2"},
		{"GPL-2.0-only+", "LicenseRef-GPL-2.0-only-"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_spdx_licenses_ struct spdx_licenses refs = {0};
		_cleanup_free_ char *got = spdx_license(cases[i].text, &refs);

		assert_string_equal(got, cases[i].expression);
	}
}

/* One reference for one text, be it said twice; two for two that look alike. */
static void test_references(void **state)
{
	_cleanup_spdx_licenses_ struct spdx_licenses refs = {0};
	_cleanup_free_ char *a = spdx_license("BSD+ and BSD- and BSD+", &refs);

	(void)state;
	assert_string_equal(a, "LicenseRef-BSD- AND LicenseRef-BSD--2 AND LicenseRef-BSD-");
	assert_int_equal(refs.ids.len, 2);
	assert_string_equal(refs.names.ptr[1], "BSD-");
}

/* bsearch(3) finds each one only while the lists are in order. */
static void test_lists_are_sorted(void **state)
{
	static const char *const some[] = {"0BSD", "Adobe-2006", "Apache-2.0", "BSD-3-Clause", "GPL-2.0-only",
					   "ISC",  "Latex2e",	 "MIT",	       "OpenSSL",      "ZPL-2.1"};

	(void)state;
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		assert_string_equal(spdx_license_id(some[i]), some[i]);
	assert_null(spdx_license_id(""));
	assert_null(spdx_license_id("zzz"));
	assert_string_equal(spdx_exception_id("LLVM-exception"), "LLVM-exception");
	assert_null(spdx_exception_id("MIT"));
}

static void test_purls(void **state)
{
	static const struct {
		const char *type, *name, *version, *arch, *os, *os_version, *purl;
	} cases[] = {
		{"deb", "libstdc++6", "1:2.3~rc1+b2", "amd64", "debian", "12",
		 "pkg:deb/debian/libstdc%2B%2B6@1:2.3~rc1%2Bb2?arch=amd64&distro=debian-12"},
		{"deb", "a", "1", "all", NULL, NULL, "pkg:deb/debian/a@1?arch=all"},
		{"rpm", "bash", "1:5.1-2.el9", "x86_64", "centos", "9",
		 "pkg:rpm/centos/bash@5.1-2.el9?arch=x86_64&distro=centos-9&epoch=1"},
		{"rpm", "a", "1-1", "noarch", NULL, NULL, "pkg:rpm/a@1-1?arch=noarch"},
		{"apk", "musl", "1-r2", "x86_64", NULL, NULL, "pkg:apk/alpine/musl@1-r2?arch=x86_64"},
		{"deb", "a/b?c", "1 %", "x", "debian", NULL, "pkg:deb/debian/a%2Fb%3Fc@1%20%25?arch=x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_installed_ struct installed l = {0};
		struct installed_package *p =
			installed_add(&l, cases[i].type, cases[i].name, cases[i].version, cases[i].arch);
		_cleanup_free_ char *got = purl_of_package(p, cases[i].os, cases[i].os_version);

		assert_string_equal(got, cases[i].purl);
	}
}

static void test_os_release(void **state)
{
	static const struct {
		const char *text, *id;
	} cases[] = {
		{"NAME=x\nID=debian\n", "debian"},
		{"ID=\"centos\"", "centos"},
		{"ID='a.b-c_1'\n", "a.b-c_1"},
		{"ID=\"a b\"\n", NULL},
		{"ID=\n", NULL},
		{"IDX=a\nMYID=b\n", NULL},
		{"ID=Upper\n", NULL},
		{"ID=\"\n", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *text = xmemdup(cases[i].text, strlen(cases[i].text));
		_cleanup_free_ char *got = os_release_value(text, strlen(cases[i].text), "ID");

		if (!got != !cases[i].id || (got && strcmp(got, cases[i].id) != 0))
			fail_msg("%s: got %s", cases[i].text, got ? got : "nothing");
	}
}

/* What in it must be told apart is, and the same manifest gives the same text. */
static void test_document(void **state)
{
	struct compose_input inputs[] = {
		{.kind = (char *)(uintptr_t) "base",
		 .name = (char *)(uintptr_t) "registry.example.org/library/App:1",
		 .version = (char *)(uintptr_t) "1",
		 .repository = (char *)(uintptr_t) "docker://registry.example.org/library/App:1"}};
	struct manifest m = {.name = (char *)(uintptr_t) "hello",
			     .version = (char *)(uintptr_t) "1.0",
			     .arch = (char *)(uintptr_t) "x86_64",
			     .tool_version = (char *)(uintptr_t) "0",
			     .epoch = 86400,
			     .inputs = inputs,
			     .input_count = 1};
	_cleanup_free_ char *text = NULL, *again = NULL;
	_cleanup_json_ struct json *j = NULL;
	const struct json *packages, *p;
	struct error err = ERROR_INIT;

	(void)state;
	installed_add(&m.packages, "deb", "a", "1+1", "all")->vendor = xstrdup("A (B) <c@example.org>");
	installed_add(&m.packages, "deb", "a", "1~1", "all")->repository = xstrdup("http://user@example.org");
	installed_add(&m.packages, "deb", "a", "1=1", "all")->repository = xstrdup("http://example.org/x");
	text = spdx_text(&m);
	again = spdx_text(&m);
	assert_string_equal(text, again);
	assert_int_equal(js_parse(text, strlen(text), "spdx", &j, &err), 0);
	assert_string_equal(js_string(js_get(j, "creationInfo.created")), "1970-01-02T00:00:00Z");
	packages = js_get(j, "packages");
	assert_int_equal(js_array_len(packages), 5);
	assert_int_equal(js_array_len(js_get(j, "relationships")), 5);
	p = js_array_get(js_get(js_array_get(packages, 1), "externalRefs"), 0);
	assert_string_equal(
		js_string(js_get(p, "referenceLocator")),
		"pkg:oci/app@sha256:0000000000000000000000000000000000000000000000000000000000000000"
		"?repository_url=registry.example.org/library/App");
	p = js_array_get(packages, 2);
	assert_string_equal(js_string(js_get(p, "SPDXID")), "SPDXRef-deb-a-1-1-all");
	assert_string_equal(js_string(js_get(p, "supplier")), "Organization: A B (c@example.org)");
	p = js_array_get(packages, 3);
	assert_string_equal(js_string(js_get(p, "SPDXID")), "SPDXRef-deb-a-1-1-all-2");
	/* Never a password into a document that is published. */
	assert_string_equal(js_string(js_get(p, "downloadLocation")), "NOASSERTION");
	p = js_array_get(packages, 4);
	assert_string_equal(js_string(js_get(p, "SPDXID")), "SPDXRef-deb-a-1-1-all-3");
	assert_string_equal(js_string(js_get(p, "downloadLocation")), "http://example.org/x");
	installed_free(&m.packages);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_licenses),	 cmocka_unit_test(test_references),
		cmocka_unit_test(test_lists_are_sorted), cmocka_unit_test(test_purls),
		cmocka_unit_test(test_os_release),	 cmocka_unit_test(test_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
