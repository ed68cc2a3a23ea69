/* SPDX-License-Identifier: Apache-2.0 */
/* --data FILE[:SIZE]. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/io.h"
#include "unit.h"
#include "vm/data_disk.h"

static char dir[] = "/tmp/mkappliance-unit.XXXXXX";

static int open_one(const char *name, struct strlist *ret, struct error *err)
{
	_cleanup_free_ char *text = xasprintf("%s/%s", dir, name);

	return data_disk_open(text, ret, err);
}

static off_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void test_make(void **state)
{
	_cleanup_strlist_ struct strlist l = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(open_one("new:3M", &l, &err), 0);
	assert_int_equal(size_of(l.ptr[0]), 3 << 20);
	/* There: as it is, with and without a size. */
	assert_int_equal(open_one("new:8M", &l, &err), 0);
	assert_int_equal(open_one("new", &l, &err), 0);
	assert_int_equal(size_of(l.ptr[1]), 3 << 20);
	/* A colon in a name that is there. */
	assert_int_equal(open_one("a:1M:1M", &l, &err), 0);
	assert_int_equal(open_one("a:1M", &l, &err), 0);
	assert_string_equal(l.ptr[3], l.ptr[4]);
}

static void test_bad(void **state)
{
	static const char *const bad[] = {"none",
					  "x:0",
					  "x:",
					  "x:1",
					  "x:1X",
					  "x:1MM",
					  "x:-1M",
					  "x: 1M",
					  "x:99999999999999999999",
					  "x:9999999999T",
					  "no/x:1M",
					  "x:1.5M",
					  NULL};
	_cleanup_strlist_ struct strlist l = {0};

	(void)state;
	for (size_t i = 0; bad[i]; i++) {
		struct error err = ERROR_INIT;

		assert_true(open_one(bad[i], &l, &err) < 0);
		assert_contains(err.text, "--data: ");
	}
	assert_int_equal(l.len, 0);
}

static void test_twice(void **state)
{
	_cleanup_strlist_ struct strlist texts = {0}, l = {0};
	struct error err = ERROR_INIT;

	(void)state;
	strlist_addf(&texts, "%s/two:1M", dir);
	strlist_addf(&texts, "%s/./two", dir);
	assert_true(data_disks_open(&texts, &l, &err) < 0);
	assert_contains(err.text, "given twice");
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return io_remove_tree(dir, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_make),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_twice),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
