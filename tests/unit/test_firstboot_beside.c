/* SPDX-License-Identifier: Apache-2.0 */
/* What the init does beside process 1: the same values and words with a child and without. */
#include "../../firstboot/beside.h"
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t worker; /* of the part before */

/* Says who it is, and that the configuration is there. */
static int note_worker(const struct conf *c, struct line *why)
{
	worker = getpid();
	line_printf(why, "%s by %s", c->name, c->version);
	return (int)worker;
}

static int is_same(const struct conf *c, struct line *why)
{
	(void)c;
	(void)why;
	return worker == getpid();
}

static int fails(const struct conf *c, struct line *why)
{
	(void)c;
	line_printf(why, "a.ko: no such thing");
	return -ENOENT;
}

static int dies(const struct conf *c, struct line *why)
{
	(void)c;
	(void)why;
	_exit(3);
}

static int is_root_there(const struct conf *c, struct line *why)
{
	(void)c;
	(void)why;
	return access("here", F_OK) == 0;
}

static const struct conf conf = {.name = "done", .version = "hand"};

/* With so many processors; the values are those of either way. */
static void test_parts(void **state)
{
	static const struct beside_part parts[] = {{.work = note_worker}, {.work = is_same}};
	struct line why;

	(void)state;
	for (unsigned processors = 1; processors <= 2; processors++) {
		struct pollfd p;

		beside_begin(parts, 2, processors, &conf);
		p = (struct pollfd){.fd = beside_fd(), .events = POLLIN};
		assert_int_equal(p.fd >= 0, processors == 2);
		if (p.fd >= 0)
			assert_int_equal(poll(&p, 1, 60000), 1);
		assert_int_equal(beside_end(0, &why) == getpid(), processors == 1);
		assert_string_equal(why.text, "done by hand");
		assert_int_equal(beside_end(1, &why), 1);
		assert_string_equal(why.text, "");
		assert_int_equal(beside_fd(), -1);
		beside_reap();
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		assert_int_equal(errno, ECHILD);
	}
}

/* One of them by process 1 whatever there is: the child does the others. */
static void test_not_beside(void **state)
{
	static const struct beside_part parts[] = {
		{.work = note_worker, .not_beside = true}, {.work = note_worker}, {.work = is_same}};
	struct line why;

	(void)state;
	for (unsigned processors = 1; processors <= 2; processors++) {
		beside_begin(parts, 3, processors, &conf);
		assert_int_equal(beside_end(0, &why), getpid());
		assert_int_equal(beside_end(1, &why) == getpid(), processors == 1);
		assert_int_equal(beside_end(2, &why), 1);
		assert_int_equal(beside_fd(), -1);
		beside_reap();
	}
}

static void test_failure(void **state)
{
	static const struct beside_part parts[] = {{.work = fails}, {.work = note_worker}};
	struct line why;

	(void)state;
	for (unsigned processors = 1; processors <= 2; processors++) {
		beside_begin(parts, 2, processors, &conf);
		assert_int_equal(beside_end(0, &why), -ENOENT);
		assert_string_equal(why.text, "a.ko: no such thing");
		assert_int_equal(beside_fd(), -1);
		beside_reap();
	}
}

/* One that is killed fails its part and hangs nobody. */
static void test_child_dies(void **state)
{
	static const struct beside_part parts[] = {
		{.work = note_worker}, {.work = dies}, {.work = is_same, .of_root = true}};
	struct line why;

	(void)state;
	beside_begin(parts, 3, 2, &conf);
	assert_true(beside_end(0, &why) > 0);
	assert_int_equal(beside_end(1, &why), -ECHILD);
	assert_string_equal(why.text, "the process beside process 1 is gone");
	beside_root();
	beside_reap();
}

/* It waits for the root, and sees the directory that process 1 has changed to. */
static void test_root(void **state)
{
	static const struct beside_part parts[] = {{.work = note_worker},
						   {.work = is_root_there, .of_root = true}};
	_cleanup_free_ char *here = xasprintf("%s/here", (char *)*state);
	struct line why;

	beside_begin(parts, 2, 2, &conf);
	assert_true(beside_end(0, &why) > 0);
	assert_int_equal(mkdir(here, 0700), 0);
	assert_int_equal(chdir(*state), 0);
	beside_root();
	assert_int_equal(beside_end(1, &why), 1);
	beside_reap();
	assert_int_equal(chdir("/"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),	cmocka_unit_test(test_not_beside),
		cmocka_unit_test(test_failure), cmocka_unit_test(test_child_dies),
		unit_test_in_dir(test_root),
	};

	assert_true(beside_processors() >= 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
