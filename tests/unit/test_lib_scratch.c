/* SPDX-License-Identifier: Apache-2.0 */
/* A scratch directory goes with its process; what a killed one left goes with the next, and what somebody holds stays. */
#include "unit.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/scratch.h"

static unsigned removed;

static void before(const char *path)
{
	assert_int_equal(access(path, F_OK), 0);
	removed++;
}

static void test_lives_and_goes(void **state)
{
	struct scratch a = SCRATCH_INIT, b = SCRATCH_INIT;
	struct error err = ERROR_INIT;
	_cleanup_free_ char *path = NULL, *file = NULL;
	struct stat st;

	removed = 0;
	assert_int_equal(scratch_open(*state, "work-", before, &a, &err), 0);
	assert_int_equal(stat(a.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	file = xasprintf("%s/file", a.path);
	assert_int_equal(output_write_file(file, "x", 1, &err), 0);
	assert_int_equal(scratch_open(*state, "work-", before, &b, &err), 0);
	assert_int_equal(removed, 0);
	assert_int_equal(access(a.path, F_OK), 0);
	path = xstrdup(a.path);
	scratch_close(&a);
	assert_int_equal(access(path, F_OK), -1);
	scratch_close(&b);
	scratch_close(&b);
}

/* As kill -9 leaves it: nobody holds the lock any more. */
static void test_left_ones(void **state)
{
	_cleanup_free_ char *left = xasprintf("%s/work-abcdef", (char *)*state),
			    *other = xasprintf("%s/work-abcdefg", (char *)*state),
			    *foreign = xasprintf("%s/else-abcdef", (char *)*state),
			    *inside = xasprintf("%s/deep", left);
	_cleanup_scratch_ struct scratch s = SCRATCH_INIT;
	struct error err = ERROR_INIT;

	removed = 0;
	assert_int_equal(io_make_dirs(inside, 0700, &err), 0);
	assert_int_equal(io_make_dirs(other, 0700, &err), 0);
	assert_int_equal(io_make_dirs(foreign, 0700, &err), 0);
	assert_int_equal(scratch_open(*state, "work-", before, &s, &err), 0);
	assert_int_equal(removed, 1);
	assert_int_equal(access(left, F_OK), -1);
	assert_int_equal(access(other, F_OK), 0);
	assert_int_equal(access(foreign, F_OK), 0);
}

static void test_no_place(void **state)
{
	struct scratch s = SCRATCH_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_true(scratch_open("/nowhere", "work-", NULL, &s, &err) < 0);
	assert_contains(err.text, "/nowhere/work-");
	scratch_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {unit_test_in_dir(test_lives_and_goes),
					   unit_test_in_dir(test_left_ones), cmocka_unit_test(test_no_place)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
