/* SPDX-License-Identifier: Apache-2.0 */
/* What the init decides and reads as a supervisor, without machines: restarts, lifetime, environment files, limits. */
#include "../../firstboot/cgroup.h"
#include "../../firstboot/conf.h"
#include "../../firstboot/envfile.h"
#include "../../firstboot/lifetime.h"
#include "../../firstboot/realtime.h"
#include "../../firstboot/restart.h"
#include "../../firstboot/seal.h"
#include "unit.h"

#include <errno.h>

static void test_restarts_double(void **state)
{
	struct restart r = {0};
	uint64_t delay = 0, now = 5000;
	static const uint64_t expected[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_true(restart_next(&r, now, 9, 60000, &delay));
		assert_int_equal(delay, expected[i]);
		now += 10;
	}
	assert_false(restart_next(&r, now, 9, 60000, &delay));
	/* To the ms: the window is not over, then it is. */
	assert_false(restart_next(&r, 5000 + 60000, 9, 60000, &delay));
	assert_true(restart_next(&r, 5000 + 60001, 9, 60000, &delay));
	assert_int_equal(delay, 100);
}

static void test_no_restarts(void **state)
{
	struct restart r = {0};
	uint64_t delay;

	(void)state;
	assert_false(restart_next(&r, 1, 0, 60000, &delay));
	assert_false(restart_next(&r, 100000, 0, 60000, &delay));
}

static void test_lifetime(void **state)
{
	(void)state;
	assert_true(lifetime_end(0, 0, 7) == UINT64_MAX);
	assert_int_equal(lifetime_end(10, 0, UINT64_MAX), 10000);
	assert_int_equal(lifetime_end(10, 2, 0), 10000);
	assert_int_equal(lifetime_end(10, 2, 2000), 8000);
	assert_int_equal(lifetime_end(10, 2, 2001), 10000);
	for (uint64_t i = 0; i < 100; i++)
		assert_true(lifetime_end(10, 20, i * 0x9e3779b97f4a7c15) <= 10000);
}

static void assert_env(const char *text, unsigned line, const char *expected)
{
	const char *vars[5];
	struct env e = {.ptr = vars, .max = 4};
	_cleanup_buf_ struct buf b = {0};
	size_t len = strlen(text);
	_cleanup_free_ char *copy = xmemdup(text, len + 1);

	assert_int_equal(envfile_parse(copy, len, &e), line);
	assert_true(e.len == 0 || !vars[e.len]);
	for (size_t i = 0; i < e.len; i++)
		buf_printf(&b, "%s|", vars[i]);
	assert_string_equal(b.ptr ? b.ptr : "", expected);
}

static void test_env_files(void **state)
{
	(void)state;
	assert_env("", 0, "");
	assert_env("# a\n\n ; b\nA=1\r\n  B = 2\n", 5, "A=1|");
	assert_env("A=1\nB=2\nA=3", 0, "A=3|B=2|");
	assert_env("A= x  y \t\nB='x  '\nC=\"a\\\"b\\\\\\n$\"\nD=\n", 0, "A=x  y|B=x  |C=a\"b\\\\n$|D=|");
	assert_env("A='x\n", 1, "");
	assert_env("A='x' y\n", 1, "");
	assert_env("A=\"x\\\"\n", 1, "");
	assert_env("A=1\n1A=x\n", 2, "A=1|");
	assert_env("A\n", 1, "");
	assert_env("=x\n", 1, "");
	assert_env("A=1\nB=1\nC=1\nD=1\nA=2\nE=1\n", 6, "A=2|B=1|C=1|D=1|");
}

static void test_env_nul(void **state)
{
	char text[] = "A=1\0B\nC=2\n";
	const char *vars[3];
	struct env e = {.ptr = vars, .max = 2};

	(void)state;
	assert_int_equal(envfile_parse(text, sizeof(text) - 1, &e), 1);
}

static void test_cgroup_values(void **state)
{
	(void)state;
	assert_int_equal(cgroup_value("low 0\noom 3\noom_kill 12\noom_group_kill 1\n", "oom_kill"), 12);
	assert_int_equal(cgroup_value("xoom_kill 5\n", "oom_kill"), 0);
	assert_int_equal(cgroup_value("oom_kill", "oom_kill"), 0);
	assert_int_equal(cgroup_value("oom_kill x\n", "oom_kill"), 0);
	assert_int_equal(cgroup_value("", "oom_kill"), 0);
}

static void test_limits(void **state)
{
	static const char *const bad[] = {"",	    "7",
					  "7 1",    "7 1 ",
					  "7 1 2 ", "7 2 1",
					  "16 1 1", "-1 1 1",
					  "7  1 1", "7 1 18446744073709551616",
					  "07 1 1", "7 1 0000000000000000000000000000"};
	uint64_t soft, hard;
	int resource;

	(void)state;
	assert_true(conf_limit("7 1 18446744073709551615", &resource, &soft, &hard));
	assert_int_equal(resource, 7);
	assert_int_equal(soft, 1);
	assert_true(hard == UINT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(conf_limit(bad[i], &resource, &soft, &hard));
}

static void test_sysctl_path(void **state)
{
	struct line l = {.len = 0};

	(void)state;
	seal_path("kernel.yama.ptrace_scope=1", 24, &l);
	assert_string_equal(l.text, "/proc/sys/kernel/yama/ptrace_scope");
}

static void test_clock(void **state)
{
	int64_t offset = INT64_MAX;

	(void)state;
	assert_int_equal(realtime_decide(0, true), REALTIME_LEAVE);
	assert_int_equal(realtime_decide(-99, true), REALTIME_LEAVE);
	assert_int_equal(realtime_decide(100, true), REALTIME_STEP);
	assert_int_equal(realtime_decide(-100, false), REALTIME_SLEW);
	assert_int_equal(realtime_decide(500000, false), REALTIME_SLEW);
	assert_int_equal(realtime_decide(-500001, false), REALTIME_STEP);
	assert_int_equal(realtime_decide(INT64_C(1) << 60, true), REALTIME_STEP);
	/* Against itself; how busy the machine is does not matter much to a minute. */
	assert_int_equal(realtime_measure(CLOCK_REALTIME, &offset), 0);
	assert_true(offset > -60000000 && offset < 60000000);
	assert_int_equal(realtime_measure(12345, &offset), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restarts_double), cmocka_unit_test(test_no_restarts),
		cmocka_unit_test(test_lifetime),	cmocka_unit_test(test_env_files),
		cmocka_unit_test(test_env_nul),		cmocka_unit_test(test_cgroup_values),
		cmocka_unit_test(test_limits),		cmocka_unit_test(test_sysctl_path),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
