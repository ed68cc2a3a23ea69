/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <signal.h>

#include "template/names.h"
#include "template/suggest.h"
#include "template/values.h"

static void test_numbers(void **state)
{
	struct error err = ERROR_INIT;
	uint64_t n = 7;

	(void)state;
	assert_int_equal(value_number("0", 0, 10, &n, &err), 0);
	assert_int_equal(n, 0);
	assert_int_equal(value_number("18446744073709551615", 0, UINT64_MAX, &n, &err), 0);
	assert_true(n == UINT64_MAX);
	n = 7;
	assert_int_equal(value_number("18446744073709551616", 0, UINT64_MAX, &n, &err), -EINVAL);
	assert_int_equal(value_number("11", 0, 10, &n, &err), -EINVAL);
	assert_string_equal(err.text, "11 is not within 0 and 10");
	for (const char *const *bad = (const char *const[]){"", "-1", "+1", " 1", "1 ", "0x1", "1.5", NULL};
	     *bad; bad++)
		assert_int_equal(value_number(*bad, 0, 10, &n, &err), -EINVAL);
	assert_int_equal(n, 7);
}

static void test_seconds(void **state)
{
	struct error err = ERROR_INIT;
	unsigned n = 0;

	(void)state;
	assert_int_equal(value_seconds("90", 1, 100, &n, &err), 0);
	assert_int_equal(n, 90);
	assert_int_equal(value_seconds("90s", 1, 100, &n, &err), 0);
	assert_int_equal(n, 90);
	assert_int_equal(value_seconds("2 min", 1, 200, &n, &err), 0);
	assert_int_equal(n, 120);
	assert_int_equal(value_seconds("1h", 1, 3600, &n, &err), 0);
	assert_int_equal(n, 3600);
	assert_int_equal(value_seconds("0", 1, 100, &n, &err), -EINVAL);
	assert_string_equal(err.text, "'0' is not within 1 s and 100 s");
	assert_int_equal(value_seconds("5124095576030432h", 1, 100, &n, &err), -EINVAL);
	assert_int_equal(value_seconds("3m", 1, 1000, &n, &err), -EINVAL);
	assert_string_equal(err.text, "'3m' is not a number of seconds (30, 30s, 5min, 1h)");
	assert_int_equal(n, 3600);
}

static void test_sizes(void **state)
{
	struct error err = ERROR_INIT;
	unsigned n = 0;

	(void)state;
	assert_int_equal(value_mebibytes("512M", 64, 4096, &n, &err), 0);
	assert_int_equal(n, 512);
	assert_int_equal(value_mebibytes("2G", 64, 4096, &n, &err), 0);
	assert_int_equal(n, 2048);
	assert_int_equal(value_mebibytes("512", 64, 4096, &n, &err), -EINVAL);
	assert_string_equal(err.text, "'512' is not a size with its unit (512M, 2G)");
	assert_int_equal(value_mebibytes("8G", 64, 4096, &n, &err), -EINVAL);
	assert_string_equal(err.text, "'8G' is not within 64 M and 4096 M");
}

static void test_choices(void **state)
{
	static const char *const names[] = {"a", "b", "c", NULL};
	struct error err = ERROR_INIT;
	unsigned i = 9;

	(void)state;
	assert_int_equal(value_choice("c", names, &i, &err), 0);
	assert_int_equal(i, 2);
	assert_int_equal(value_choice("C", names, &i, &err), -EINVAL);
	assert_string_equal(err.text, "'C' is not a, b or c");
}

/* The words joined by '|'. */
static char *split(const char *value)
{
	_cleanup_strlist_ struct strlist words = {0};
	struct error err = ERROR_INIT;
	struct buf b = {0};

	if (value_split(value, &words, &err) < 0)
		return xasprintf("error: %s", err.text);
	for (size_t i = 0; i < words.len; i++)
		buf_printf(&b, "%s%s", i ? "|" : "", words.ptr[i]);
	return buf_steal(&b);
}

static void test_split(void **state)
{
	static const struct {
		const char *value, *words;
	} cases[] = {
		{"", ""},
		{"a", "a"},
		{" a \t b ", "a|b"},
		{"\"a b\" 'c  d'", "a b|c  d"},
		{"a\"b c\"d", "ab cd"},
		{"'' \"\" x", "||x"},
		{"a\\ b", "a b"},
		{"a\\\\b", "a\\b"},
		{"\"a\\\"b\"", "a\"b"},
		{"'a\\b'", "a\\b"},
		{"A=1 \"B=2 3\"", "A=1|B=2 3"},
		{"a;b c#d", "a;b|c#d"},
		{"'#a' \\;", "error: '\\;' has no meaning; a backslash itself is written '\\\\'"},
		{"$HOME %n *", "$HOME|%n|*"},
		{"a 'b", "error: a quote (') is opened and never closed"},
		{"a \"b", "error: a quote (\") is opened and never closed"},
		{"a\\", "error: ends in a backslash"},
		{"a\\n", "error: '\\n' has no meaning; a backslash itself is written '\\\\'"},
		{"a # b", "error: '# b': a comment needs a line of its own (quote the word if it is none)"},
		{"a ;b", "error: ';b': a comment needs a line of its own (quote the word if it is none)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *words = split(cases[i].value);

		assert_string_equal(words, cases[i].words);
	}
}

static void test_split_appends_all_or_nothing(void **state)
{
	_cleanup_strlist_ struct strlist words = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(value_split("a b", &words, &err), 0);
	assert_int_equal(value_split("c 'd", &words, &err), -EINVAL);
	assert_int_equal(words.len, 2);
	assert_int_equal(value_split("c", &words, &err), 0);
	assert_int_equal(words.len, 3);
}

static void test_urls(void **state)
{
	static const char *const bad[] = {"",
					  "http://",
					  "http://:",
					  "http://:0/",
					  "http://:65536/",
					  "http://:80x/",
					  "http://:80/a b",
					  "http://:80/#a",
					  "tcp://:80/",
					  "tcp://:",
					  "https://:443/",
					  "http://:80/\xc3\xa4",
					  NULL};
	struct error err = ERROR_INIT;
	struct value_url url;

	(void)state;
	assert_int_equal(value_url("http://:8080/healthz?x=1", &url, &err), 0);
	assert_true(url.http);
	assert_int_equal(url.port, 8080);
	assert_string_equal(url.path, "/healthz?x=1");
	free(url.path);
	assert_int_equal(value_url("http://:80", &url, &err), 0);
	assert_string_equal(url.path, "/");
	free(url.path);
	assert_int_equal(value_url("tcp://:65535", &url, &err), 0);
	assert_false(url.http);
	assert_int_equal(url.port, 65535);
	assert_null(url.path);
	for (size_t i = 0; bad[i]; i++)
		assert_int_equal(value_url(bad[i], &url, &err), -EINVAL);
	assert_int_equal(value_url("http://localhost:80/", &url, &err), -EINVAL);
	assert_string_equal(err.text,
			    "'http://localhost:80/': leave the host out, it is always the machine itself: "
			    "http://:PORT/PATH");
}

static void test_signals(void **state)
{
	struct error err = ERROR_INIT;
	int n = 0;

	(void)state;
	assert_int_equal(value_signal("SIGQUIT", &n, &err), 0);
	assert_int_equal(n, SIGQUIT);
	assert_int_equal(value_signal("WINCH", &n, &err), 0);
	assert_int_equal(n, SIGWINCH);
	assert_int_equal(value_signal("SIGSEGV", &n, &err), -EINVAL);
	assert_int_equal(value_signal("15", &n, &err), -EINVAL);
}

#define LABEL63 "a23456789012345678901234567890123456789012345678901234567890123"

static const struct {
	name_check *check;
	const char *good[6], *bad[16];
} names[] = {
	{name_appliance,
	 {"hello", "a", "1-2", LABEL63},
	 {"", "-a", "a-", "A", "a_b", "a.b", LABEL63 "x", "a b"}},
	{name_version, {"1.4.0", "1.0~rc1+b2_x-3"}, {"", ".1", "-1", "1/2", "1 2", "1:2", LABEL63 "xx"}},
	{name_host,
	 {"web", "a.b.example", "A-1"},
	 {"", ".", "a.", ".a", "a..b", "-a", "a-.b", "a_b", LABEL63 "x", LABEL63 ".b"}},
	{name_account,
	 {"root", "www-data", "_apt", "0", "65534"},
	 {"", "-x", "a b", "a:b", "4294967295", "1x"}},
	{name_suite, {"bookworm", "bookworm-backports", "stable/updates"}, {"", "-t", "a b", "/etc"}},
	{name_component, {"main", "non-free-firmware"}, {"", "-", "a,b"}},
	{name_package,
	 {"nginx-light", "g++", "libc6:amd64", "nginx=1.22.1-9+deb12u1", "a/b"},
	 {"", "nginx-", "-o", "A", "a,b", "a b", "?x"}},
	{name_module, {"virtio_net", "dm-verity", "8139too"}, {"", "a/b", "a.ko", "-a"}},
	{name_mirror,
	 {"http://mirror.example.org/debian", "file:///srv/debian", "https://m/@SNAPSHOT@"},
	 {"", "http://", "ftp://x", "file://x", "deb http://x", "http://x y", "[trusted=yes] http://x"}},
	{name_snapshot,
	 {"20240131T120000Z"},
	 {"", "20240131", "20240131T120000", "20240131T120000Zx", "2024-131T120000Z"}},
	{name_checksum,
	 {"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	 {"", "sha256:", "sha256:00", "md5:00",
	  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}},
	{name_environment, {"A=", "A_1=b=c", "_=x y"}, {"", "A", "=b", "1A=b", "A-B=c", "A B=c"}},
	{name_kernel_command_line,
	 {"", "console=ttyS0 quiet", "x=\"a  b\"", "x=\"a -- init=b\" y"},
	 {"init=/bin/sh", "a rdinit=/x", "root=/dev/vda", "a  initrd=x", "roothash=00", "a ; b", "# x",
	  "a\tb", "\xc3\xa4", "a \"init=/bin/sh\"", "\"rdinit=/x y\"", "console=ttyS0 -- x", "--",
	  "x=\"a b"}},
	{name_image_path,
	 {"/", "/usr/bin/x", "/a b"},
	 {"", "a", "//", "/a/", "/a//b", "/.", "/..", "/a/../b", "/a/."}},
	{name_writable,
	 {"/srv", "/var/lib/nginx", "/procx"},
	 {"", "/", "/proc", "/proc/x", "/sys", "/dev/shm", "srv"}},
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct error err = ERROR_INIT;

		for (size_t j = 0; j < 6 && names[i].good[j]; j++)
			if (names[i].check(names[i].good[j], &err) != 0)
				fail_msg("case %zu: %s", i, err.text);
		for (size_t j = 0; j < 16 && names[i].bad[j]; j++) {
			err = ERROR_INIT;
			if (names[i].check(names[i].bad[j], &err) != -EINVAL || err.exit != EXIT_USAGE ||
			    !*err.text)
				fail_msg("case %zu: '%s' passed", i, names[i].bad[j]);
		}
	}
}

static void test_lengths(void **state)
{
	_cleanup_free_ char *s = xcalloc(1, 5000);
	struct error err = ERROR_INIT;

	(void)state;
	memset(s, 'x', 4999);
	assert_int_equal(name_kernel_command_line(s, &err), -EINVAL);
	s[1536] = 0;
	assert_int_equal(name_kernel_command_line(s, &err), 0);
	s[0] = '/';
	assert_int_equal(name_image_path(s, &err), -EINVAL);
	s[256] = 0;
	assert_int_equal(name_image_path(s, &err), 0);
}

static void test_distance(void **state)
{
	(void)state;
	assert_int_equal(suggest_distance("", ""), 0);
	assert_int_equal(suggest_distance("exec", "Exec"), 0);
	assert_int_equal(suggest_distance("Exce", "Exec"), 1);
	assert_int_equal(suggest_distance("", "abc"), 3);
	assert_int_equal(suggest_distance("kitten", "sitting"), 3);
	assert_int_equal(suggest_distance("ca", "abc"), 3);
	assert_true(suggest_distance(LABEL63 "xx", "a") == SIZE_MAX);
	assert_int_equal(suggest_distance(LABEL63 "x", "a"), 63);
}

static void test_suggestion(void **state)
{
	struct suggestion s = {.word = "Pakages"};

	(void)state;
	suggest_offer(&s, "Path");
	assert_null(s.best);
	suggest_offer(&s, "Package");
	assert_string_equal(s.best, "Package");
	suggest_offer(&s, "Packages");
	assert_string_equal(s.best, "Packages");
	suggest_offer(&s, "Pckages");
	assert_string_equal(s.best, "Packages");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),	 cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_sizes),	 cmocka_unit_test(test_choices),
		cmocka_unit_test(test_split),	 cmocka_unit_test(test_split_appends_all_or_nothing),
		cmocka_unit_test(test_urls),	 cmocka_unit_test(test_signals),
		cmocka_unit_test(test_names),	 cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_distance), cmocka_unit_test(test_suggestion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
