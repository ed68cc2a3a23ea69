/* SPDX-License-Identifier: Apache-2.0 */
/* The databases of package managers, each alone, and a tree that has several. */
#include "compose_fixture.h"

#include "compose/apk.h"
#include "compose/copyright.h"
#include "compose/debian_pins.h"
#include "compose/packages.h"
#include "compose/rpmdb.h"

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const char apk_database[] = "C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:x86_64\nT:the C library\nL:MIT\no:musl\n"
				   "m:A Person <a@example.org>\nF:lib\nR:ld-musl.so.1\n\n"
				   "P:bare\nV:1\n";

static void test_apk(void **state)
{
	static const char *const bad[] = {"P:a\n\n", "V:1\n", "P\n", "Pa:1\n", "P:a\nV:1\n\nno line\n"};
	_cleanup_installed_ struct installed l = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(apk_parse(apk_database, strlen(apk_database), "db", &l, &err), 0);
	assert_int_equal(l.len, 2);
	assert_string_equal(l.list[0].type, "apk");
	assert_string_equal(l.list[0].version, "1.2.4-r2");
	assert_string_equal(l.list[0].arch, "x86_64");
	assert_string_equal(l.list[0].license, "MIT");
	assert_string_equal(l.list[0].source, "musl 1.2.4-r2");
	assert_string_equal(l.list[0].vendor, "A Person <a@example.org>");
	assert_string_equal(l.list[1].name, "bare");
	assert_null(l.list[1].source);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		_cleanup_installed_ struct installed none = {0};

		if (apk_parse(bad[i], strlen(bad[i]), "db", &none, &err) == 0)
			fail_msg("not seen: %s", bad[i]);
		assert_contains(err.text, "db");
	}
}

static void test_copyright(void **state)
{
	static const struct {
		const char *text, *licenses;
	} cases[] = {
		{"Format: x\nUpstream-Name: a\n\nFiles: *\nLicense: Expat\n text\n\nFiles: debian/*\nLicense: GPL-2+\n",
		 "Expat AND GPL-2+"},
		/* Each once; a paragraph that only gives a text does not count. */
		{"Format: x\n\nFiles: a\nLicense: MIT\n\nFiles: b\nLicense:   MIT \n\nLicense: GPL-3\n text\n",
		 "MIT"},
		{"Format: x\nLicense: Apache-2.0\n \nFiles: a\nLicense:\n .\n", "Apache-2.0"},
		{"\n Format-Specification: x\n\nfiles: a\nlicense: GPL-1+  or\tArtistic\n",
		 "(GPL-1+ or Artistic)"},
		{"This package was debianized by hand.\nLicense: GPL\n", NULL},
		{"Format: x\n\nFiles: *\nCopyright: me\n", NULL},
		{"Format: x\n\nFiles: *\nLicense: caf\303\251\n", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *got = copyright_licenses(cases[i].text, strlen(cases[i].text));

		if (!got != !cases[i].licenses || (got && strcmp(got, cases[i].licenses) != 0))
			fail_msg("%s: got %s", cases[i].text, got ? got : "nothing");
	}
}

static void test_rpm_records(void **state)
{
	static const char good[] =
		"bash\a5.1-2.el9\ax86_64\abash-5.1-2.el9.src.rpm\aGPLv3+\aA Vendor\a(none)\a\b"
		"gpg-pubkey\a1-2\a(none)\a(none)\apubkey\a(none)\a(none)\a\b"
		"mine\a2:1-1\anoarch\aodd\a(A and\nB)\a(none)\aMe <me@example.org>\a\b";
	static const char *const bad[] = {"a\a1\an\as\al\av\ap\a",	  "a\a1\an\as\al\av\a\b",
					  "a\a1\an\as\al\av\ap\aq\a\b",	  "\a1\an\as\al\av\ap\a\b",
					  "a\a(none)\an\as\al\av\ap\a\b", "a\a1\an\as\al\av\ap\b"};
	_cleanup_installed_ struct installed l = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(rpmdb_parse(good, strlen(good), "db", &l, &err), 0);
	assert_int_equal(l.len, 2);
	assert_string_equal(l.list[0].source, "bash 5.1-2.el9");
	assert_string_equal(l.list[0].vendor, "A Vendor");
	assert_string_equal(l.list[1].version, "2:1-1");
	assert_string_equal(l.list[1].source, "odd");
	assert_string_equal(l.list[1].license, "(A and B)");
	assert_string_equal(l.list[1].vendor, "Me <me@example.org>");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		_cleanup_installed_ struct installed none = {0};

		if (rpmdb_parse(bad[i], strlen(bad[i]), "db", &none, &err) == 0)
			fail_msg("not seen: number %zu", i);
	}
}

/* A tree with the files of @files, a list of name and text that ends in NULL. */
static struct merge *tree_of(const char *const *files)
{
	_cleanup_layer_ struct layer l = LAYER_INIT;
	struct merge *m = merge_new();
	struct error err = ERROR_INIT;

	l.name = xstrdup("test");
	for (; *files; files += 2)
		layer_add(&l, entry_new_file(files[0], 0644, files[1], strlen(files[1])), NULL);
	if (merge_layer(m, &l, 0, 0, &err) < 0)
		fail_msg("%s", err.text);
	return m;
}

static void test_tree(void **state)
{
	static const char *const files[] = {
		"var/lib/dpkg/status",
		"Package: bash\nStatus: install ok installed\nVersion: 5.2-1+b1\nArchitecture: amd64\n"
		"Source: bash (5.2-1)\nMaintainer: A Person <a@example.org>\n\n"
		"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n",
		"var/lib/dpkg/status.d/tzdata",
		"Package: tzdata\nVersion: 2024a\nArchitecture: all\nSource: tz\n",
		"var/lib/dpkg/status.d/tzdata.md5sums",
		"00 usr/share/zoneinfo\n",
		"usr/share/doc/bash/copyright",
		"Format: x\n\nFiles: *\nLicense: GPL-3+\n",
		"lib/apk/db/installed",
		apk_database,
		NULL};
	_cleanup_installed_ struct installed l = {0}, notes = {0};
	_cleanup_merge_ struct merge *m = tree_of(files);
	struct error err = ERROR_INIT;

	(void)state;
	installed_add(&notes, "deb", "bash", "5.2-1+b1", "amd64")->sha256 = xstrdup(DIGEST);
	installed_add(&notes, "deb", "bash", "5.2-1+b1", "arm64")->repository = xstrdup("of another");
	installed_add(&notes, "deb", "removed-since", "1", "amd64");
	/* Unpacked beside the database, and once more in it. */
	installed_add(&l, "deb", "app", "1.0", "amd64");
	installed_add(&l, "deb", "tzdata", "2024a", "all")->repository = xstrdup("file");
	if (packages_list(m, &notes, &l, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(l.len, 5);
	assert_string_equal(l.list[0].name, "app");
	assert_string_equal(l.list[1].name, "bare");
	assert_string_equal(l.list[2].name, "bash");
	assert_string_equal(l.list[2].source, "bash 5.2-1");
	assert_string_equal(l.list[2].vendor, "A Person <a@example.org>");
	assert_string_equal(l.list[2].license, "GPL-3+");
	assert_string_equal(l.list[2].sha256, DIGEST);
	assert_null(l.list[2].repository);
	assert_string_equal(l.list[3].name, "musl");
	assert_string_equal(l.list[4].source, "tz 2024a");
	assert_string_equal(l.list[4].repository, "file");
}

static void test_refuses(void **state)
{
	static const struct {
		const char *files[3];
		const char *message;
	} cases[] = {
		{{"lib/apk/db/installed", "what\n", NULL}, "/lib/apk/db/installed:1"},
		{{"var/lib/dpkg/status", "Package: a\n", NULL}, "/var/lib/dpkg/status"},
		{{"var/lib/dpkg/status.d/x", "no\n", NULL}, "/var/lib/dpkg/status.d/x:1"},
		/* What a reader of the manifest would refuse. */
		{{"lib/apk/db/installed", "P:a b\nV:1\n", NULL}, "the root's package database: packages[0]"},
		{{"lib/apk/db/installed", "P:a\033\nV:1\n", NULL},
		 "the root's package database: packages[0]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_merge_ struct merge *m = tree_of(cases[i].files);
		_cleanup_installed_ struct installed l = {0}, notes = {0};
		struct error err = ERROR_INIT;

		assert_true(packages_list(m, &notes, &l, &err) < 0);
		assert_contains(err.text, cases[i].message);
	}
}

/* By rpm itself: what is no database is seen, wherever it lies. */
static void test_rpm_database(void **state)
{
	static const char *const files[] = {"var/lib/rpm/rpmdb.sqlite", "no database\n", NULL};
	static const char *const ndb[] = {"usr/lib/sysimage/rpm/Packages.db", "RpmP", NULL};
	_cleanup_merge_ struct merge *m = tree_of(files), *other = tree_of(ndb);
	_cleanup_installed_ struct installed l = {0};
	struct error err = ERROR_INIT;

	(void)state;
	if (!spawn_available("rpm"))
		skip();
	assert_true(rpmdb_list(m, &l, &err) < 0);
	assert_contains(err.text, "the rpm database in /var/lib/rpm");
	assert_int_equal(l.len, 0);
	assert_true(rpmdb_list(other, &l, &err) < 0);
	assert_contains(err.text, "the rpm database in /usr/lib/sysimage/rpm");
}

static void test_rpm_missing(void **state)
{
	static const char *const files[] = {"usr/lib/sysimage/rpm/rpmdb.sqlite", "x", NULL};
	_cleanup_merge_ struct merge *m = tree_of(files);
	_cleanup_installed_ struct installed l = {0};
	_cleanup_free_ char *path = xstrdup(getenv("PATH"));
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
	assert_int_equal(rpmdb_list(m, &l, &err), -ENOENT);
	assert_int_equal(setenv("PATH", path, 1), 0);
	assert_contains(err.text, "apt-get install rpm");
}

/* Only what apt may read: a manifest comes from anywhere. */
static void test_pins(void **state)
{
	_cleanup_installed_ struct installed l = {0};
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	installed_add(&l, "deb", "libstdc++6", "1:2.3~rc1-4+b1", "amd64");
	installed_add(&l, "rpm", "bash", "5", "x86_64");
	installed_add(&l, "deb", "a\nPackage: *", "1", "all");
	installed_add(&l, "deb", "a", "1*", "all");
	debian_pins(&l, &b);
	assert_string_equal(b.ptr,
			    "Package: libstdc++6\nPin: version 1:2.3~rc1-4+b1\nPin-Priority: 1001\n\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_apk),	    cmocka_unit_test(test_copyright),
		cmocka_unit_test(test_rpm_records), cmocka_unit_test(test_tree),
		cmocka_unit_test(test_refuses),	    cmocka_unit_test(test_rpm_database),
		cmocka_unit_test(test_rpm_missing), cmocka_unit_test(test_pins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
