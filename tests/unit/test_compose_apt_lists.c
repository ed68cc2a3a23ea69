/* SPDX-License-Identifier: Apache-2.0 */
/* Where installed packages came from, by the indexes of their repositories. */
#include "unit.h"

#include "compose/apt_lists.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const char status[] =
	"Package: zlib1g\nStatus: install ok installed\nVersion: 1:1\nArchitecture: amd64\n\n"
	"Package: app\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n\n"
	"Package: local\nStatus: install ok installed\nVersion: 3\nArchitecture: all\n";

static void test_scan(void **state)
{
	static const char index[] =
		"\n\nPackage: app\nVersion: 1\nArchitecture: all\nFilename: old\nSHA256: " B64 "\n\n"
		"Package: app\nArchitecture: all\nVersion: 2\nFilename: pool/app_2_all.deb\nSHA256: " A64
		"\nDescription: x\n"
		" SHA256: no\n\n\n"
		"Package: zlib1g\nVersion: 1:1\nArchitecture: arm64\nFilename: other\nSHA256: " B64 "\n\n"
		"Package: zlib1g\nVersion: 1:1\nArchitecture: amd64\nFilename: pool/z.deb\nSHA256: short\n\n"
		"Package: zlib1g\nVersion: 1:1\nArchitecture: amd64\nSHA256: " B64 "\n\n"
		"Package: zlib1\nVersion: 1:1\nArchitecture: amd64\nFilename: x\nSHA256: " B64 "\n\n"
		"Package: zlib1g\nVersion: 1:1\nArchitecture: amd64\nFilename: pool/z.deb\nSHA256: " B64;
	_cleanup_installed_ struct installed l = {0};
	_cleanup_dpkg_ struct dpkg d = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(dpkg_parse(status, strlen(status), "s", &d, &err), 0);
	apt_lists_scan(index, &d, "http://x/debian", &l);
	assert_int_equal(l.len, 2);
	assert_string_equal(l.list[0].name, "app");
	assert_string_equal(l.list[0].sha256, A64);
	assert_string_equal(l.list[0].repository, "http://x/debian/pool/app_2_all.deb");
	assert_string_equal(l.list[1].name, "zlib1g");
	assert_string_equal(l.list[1].sha256, B64);
	apt_lists_scan("", &d, "http://x/debian", &l);
	assert_int_equal(l.len, 2);
}

static void test_uri(void **state)
{
	static const struct {
		const char *name, *sources, *uri;
	} cases[] = {
		{"x.example_debian_dists_s_main_binary-amd64_Packages",
		 "deb https://x.example/debian s main\n", "https://x.example/debian"},
		{"x.example_a%5fb_dists_s_main_binary-amd64_Packages", "", "http://x.example/a_b"},
		{"_srv_repo_._Packages", "deb [a=b] file:///srv/repo ./\n", "file:///srv/repo"},
		{"_srv_repo_Packages", "", "file:///srv/repo"},
		{"x%", "", "http://x%"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *uri = apt_lists_uri(cases[i].name, cases[i].sources);

		assert_string_equal(uri, cases[i].uri);
	}
}

static void test_directory(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/h_d_dists_s_main_binary-all_Packages", (char *)*state);
	static const char index[] =
		"Package: app\nVersion: 2\nArchitecture: all\nFilename: pool/a.deb\nSHA256: " A64 "\n";
	_cleanup_installed_ struct installed l = {0};
	_cleanup_dpkg_ struct dpkg d = {0};
	struct error err = ERROR_INIT;

	assert_int_equal(dpkg_parse(status, strlen(status), "s", &d, &err), 0);
	assert_int_equal(output_write_file(path, index, strlen(index), &err), 0);
	assert_int_equal(apt_lists_note(*state, &d, "deb ftp://h/d s main", &l, &err), 0);
	assert_int_equal(l.len, 1);
	assert_string_equal(l.list[0].repository, "ftp://h/d/pool/a.deb");
	assert_int_not_equal(apt_lists_note("/nowhere", &d, "", &l, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_uri),
		unit_test_in_dir(test_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
