/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/log.h"

/* What @f writes to standard error at @level. To be freed. */
static char *logged(void **state, enum log_level level, void (*f)(void))
{
	_cleanup_free_ char *path = xasprintf("%s/log", (char *)*state);
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;
	int saved = dup(2), fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(saved >= 0 && fd >= 0);
	fflush(stderr);
	assert_int_equal(dup2(fd, 2), 2);
	log_setup(level);
	f();
	fflush(stderr);
	assert_int_equal(dup2(saved, 2), 2);
	log_setup(LOG_NORMAL);
	(void)close(saved);
	(void)close(fd);
	assert_int_equal(io_read_file(AT_FDCWD, path, 1 << 20, &b, &err), 0);
	return buf_steal(&b);
}

static void say_all(void)
{
	log_note("note %d", 1);
	log_warning("careful");
	log_debug("+program");
	log_error("broken");
}

static void test_levels(void **state)
{
	_cleanup_free_ char *quiet = logged(state, LOG_QUIET, say_all),
			    *normal = logged(state, LOG_NORMAL, say_all);
	_cleanup_free_ char *verbose = logged(state, LOG_VERBOSE, say_all);

	assert_string_equal(quiet, "mkappliance: broken\n");
	assert_string_equal(normal, "note 1\nwarning: careful\nmkappliance: broken\n");
	assert_string_equal(verbose, "note 1\nwarning: careful\n+program\nmkappliance: broken\n");
}

static void say_foreign(void)
{
	log_note("file '%s'", "a\nb\x1b[2J");
}

static void test_lines_are_lines(void **state)
{
	_cleanup_free_ char *text = logged(state, LOG_NORMAL, say_foreign);

	assert_string_equal(text, "file 'a?b?[2J'\n");
}

static void step(void)
{
	struct progress p;

	progress_start(&p, "hashing", "B", 3 << 20);
	progress_add(&p, 1 << 20);
	progress_add(&p, 2 << 20);
	progress_end(&p, "all");
	progress_start(&p, "files", "files", 0);
	progress_add(&p, 12);
	progress_end(&p, NULL);
	progress_start(&p, "plain", NULL, 0);
	progress_end(&p, NULL);
}

/* Not a terminal: one line when a step ends, no escape sequence. */
static void test_progress_in_a_log(void **state)
{
	_cleanup_free_ char *text = logged(state, LOG_NORMAL, step), *quiet = logged(state, LOG_QUIET, step);
	unsigned lines = 0;

	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	assert_int_equal(lines, 3);
	assert_null(strchr(text, '\033'));
	assert_null(strchr(text, '\r'));
	assert_contains(text, "  hashing  ");
	assert_contains(text, " s  3.0 MiB, all\n");
	assert_contains(text, " s  12 files\n");
	assert_string_equal(quiet, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(test_levels),
		unit_test_in_dir(test_lines_are_lines),
		unit_test_in_dir(test_progress_in_a_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
