/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "image/sbom.h"

static void add(struct installed *l, const char *type, const char *name, const char *version,
		const char *arch)
{
	installed_add(l, type, name, version, arch);
	installed_sort(l);
}

static void expect(const struct sbom_change *c, const char *name, const char *from, const char *to)
{
	assert_string_equal((c->from ? c->from : c->to)->name, name);
	assert_true(!c->from == !from && !c->to == !to);
	if (from)
		assert_string_equal(c->from->version, from);
	if (to)
		assert_string_equal(c->to->version, to);
}

static void test_changes(void **state)
{
	_cleanup_installed_ struct installed a = {0}, b = {0};
	_cleanup_sbom_changes_ struct sbom_changes c = {0};

	(void)state;
	add(&a, "deb", "libc6", "2.36", "amd64");
	add(&b, "deb", "libc6", "2.37", "amd64");
	add(&a, "deb", "same", "1", "all");
	add(&b, "deb", "same", "1", "all");
	add(&a, "deb", "gone", "1", "amd64");
	add(&b, "deb", "new", "1", "amd64");
	sbom_compare(&a, &b, &c);
	assert_int_equal(c.len, 3);
	expect(&c.list[0], "gone", "1", NULL);
	expect(&c.list[1], "libc6", "2.36", "2.37");
	expect(&c.list[2], "new", NULL, "1");
}

/* Two architectures of one package, and two versions side by side as rpm has of kernels. */
static void test_several_of_one_name(void **state)
{
	_cleanup_installed_ struct installed a = {0}, b = {0};
	_cleanup_sbom_changes_ struct sbom_changes c = {0};

	(void)state;
	add(&a, "rpm", "kernel", "5.1", "x86_64");
	add(&a, "rpm", "kernel", "5.2", "x86_64");
	add(&b, "rpm", "kernel", "5.2", "x86_64");
	add(&b, "rpm", "kernel", "5.3", "x86_64");
	add(&b, "rpm", "kernel", "5.4", "x86_64");
	add(&a, "rpm", "glibc", "2", "i686");
	add(&a, "rpm", "glibc", "2", "x86_64");
	add(&b, "rpm", "glibc", "2", "x86_64");
	add(&b, "deb", "glibc", "2", "x86_64");
	sbom_compare(&a, &b, &c);
	assert_int_equal(c.len, 4);
	expect(&c.list[0], "glibc", "2", NULL);
	assert_string_equal(c.list[0].from->arch, "i686");
	expect(&c.list[1], "glibc", NULL, "2");
	assert_string_equal(c.list[1].to->type, "deb");
	expect(&c.list[2], "kernel", "5.1", "5.3");
	expect(&c.list[3], "kernel", NULL, "5.4");
}

static void test_empty_lists(void **state)
{
	_cleanup_installed_ struct installed a = {0}, b = {0};
	_cleanup_sbom_changes_ struct sbom_changes c = {0};

	(void)state;
	sbom_compare(&a, &b, &c);
	assert_int_equal(c.len, 0);
	add(&b, "deb", "x", "1", "all");
	sbom_compare(&a, &b, &c);
	assert_int_equal(c.len, 1);
	expect(&c.list[0], "x", NULL, "1");
}

#define PACKAGE(name, version, purl)                                                             \
	"{\"SPDXID\": \"SPDXRef-" name "\", \"name\": \"" name "\", \"versionInfo\": \"" version \
	"\", \"externalRefs\": [{\"referenceType\": \"purl\", \"referenceLocator\": \"" purl "\"}]}"
#define DOCUMENT(packages)                                                                        \
	"{\"spdxVersion\": \"SPDX-2.3\", \"name\": \"doc\", \"packages\": [" packages             \
	"], \"relationships\": [{\"spdxElementId\": \"SPDXRef-DOCUMENT\", \"relationshipType\": " \
	"\"DESCRIBES\", \"relatedSpdxElement\": \"SPDXRef-app\"}]}"

static int parse(const char *text, struct sbom *ret, struct error *err)
{
	*err = ERROR_INIT;
	return sbom_parse(text, strlen(text), "x.spdx.json", ret, err);
}

static void test_spdx(void **state)
{
	static const char text[] = DOCUMENT(PACKAGE("app", "7", "pkg:generic/app@7?arch=x86_64") "," PACKAGE(
		"bash", "1:5.2+b1",
		"pkg:deb/debian/bash@5.2%2Bb1?distro=debian-12&arch=am%64%36%34") "," PACKAGE("tool", "2",
											      "pkg:rpm/tool@2"));
	_cleanup_sbom_ struct sbom s = {0};
	struct error err;

	(void)state;
	assert_int_equal(parse(text, &s, &err), 0);
	assert_string_equal(s.name, "app");
	assert_string_equal(s.version, "7");
	assert_int_equal(s.packages.len, 2);
	assert_string_equal(s.packages.list[0].type, "deb");
	assert_string_equal(s.packages.list[0].version, "1:5.2+b1");
	assert_string_equal(s.packages.list[0].arch, "amd64");
	assert_string_equal(s.packages.list[1].arch, "unknown");
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"spdxVersion\": \"SPDX-3.0\", \"name\": \"x\", \"packages\": []}",
		"{\"spdxVersion\": \"SPDX-2.3\", \"packages\": []}",
		"{\"spdxVersion\": \"SPDX-2.3\", \"name\": \"x\", \"packages\": {}}",
		"{\"spdxVersion\": \"SPDX-2.3\", \"name\": \"x\", \"packages\": [{}]}",
		DOCUMENT(PACKAGE("two words", "1", "pkg:deb/x@1")),
		DOCUMENT(PACKAGE("x", "1 2", "pkg:deb/x@1")),
		DOCUMENT(PACKAGE("x", "1", "pkg:d b/x@1")),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sbom s = {0};
		struct error err;

		assert_true(parse(bad[i], &s, &err) < 0);
		assert_int_equal(err.exit, EXIT_REFUSED);
		assert_null(s.path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),	    cmocka_unit_test(test_several_of_one_name),
		cmocka_unit_test(test_empty_lists), cmocka_unit_test(test_spdx),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
