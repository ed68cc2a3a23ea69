/* SPDX-License-Identifier: Apache-2.0 */
/* The controller on a simulated fleet: what it does to the instances, and what clients would have seen. */
#include "rollout_sim.h"

#include <malloc.h>

static void test_first_deployment(void **state)
{
	struct sim s;

	(void)state;
	sim_open(&s, 3);
	assert_int_equal(sim_deploy(&s, "v1"), OUTCOME_DEPLOYED);
	assert_int_equal(s.most_fresh_at_checkpoint, 1);
	assert_int_equal(sim_of_image(&s, "v1"), 3);
	assert_int_equal(sim_serving(&s), 3);
	assert_string_equal(s.c.group.current, "v1");
	assert_string_equal(s.c.group.previous, "");
	sim_close(&s);
}

static void test_rolling(void **state)
{
	struct error err = ERROR_INIT;
	struct sim s;

	(void)state;
	sim_open(&s, 3);
	(void)sim_deploy(&s, "v1");
	assert_int_equal(controller_deploy(&s.c, "v1", s.now, &err), -EALREADY);
	assert_int_equal(sim_deploy(&s, "v2"), OUTCOME_DEPLOYED);
	assert_int_equal(s.least_serving, 3);
	assert_int_equal(s.most_total, 4);
	assert_int_equal(s.most_fresh_at_checkpoint, 1);
	assert_int_equal(sim_of_image(&s, "v2"), 3);
	assert_string_equal(s.c.group.previous, "v1");
	assert_int_equal(s.c.group.deployment.lowest, 3);
	assert_int_equal(s.c.group.history_count, 1);
	sim_close(&s);
}

/* All at once, where that is asked for; and in place, where there is no room for another one. */
static void test_bounds(void **state)
{
	struct sim s;

	(void)state;
	sim_open(&s, 4);
	(void)sim_deploy(&s, "v1");
	s.c.group.plan.max_healthy = 200;
	assert_int_equal(sim_deploy(&s, "v2"), OUTCOME_DEPLOYED);
	assert_int_equal(s.least_serving, 4);
	assert_int_equal(s.most_total, 8);
	s.c.group.plan.max_healthy = 100;
	s.c.group.plan.min_healthy = 50;
	assert_int_equal(sim_deploy(&s, "v3"), OUTCOME_DEPLOYED);
	assert_in_range(s.least_serving, 2, 3);
	assert_int_equal(s.most_total, 4);
	sim_close(&s);
}

static void expect_back(const char *image, const char *reason)
{
	struct sim s;

	sim_open(&s, 3);
	(void)sim_deploy(&s, "v1");
	assert_int_equal(sim_deploy(&s, image), OUTCOME_ROLLED_BACK);
	assert_int_equal(s.least_serving, 3);
	assert_contains(s.c.group.deployment.reason, reason);
	assert_int_equal(sim_of_image(&s, "v1"), 3);
	assert_int_equal(s.count, 3);
	assert_string_equal(s.c.group.current, "v1");
	/* Those of the first deployment, not others of the same image. */
	assert_non_null(sim_find(&s, "i1"));
	assert_non_null(sim_find(&s, "i2"));
	assert_non_null(sim_find(&s, "i3"));
	sim_close(&s);
}

static void test_never_ready(void **state)
{
	(void)state;
	expect_back(SIM_NEVER, "not healthy within 180 s");
}

static void test_refused(void **state)
{
	(void)state;
	expect_back(SIM_BREAKS, "powered off");
}

static void test_flapping(void **state)
{
	(void)state;
	expect_back(SIM_FLAPS, "unhealthy");
}

/* It dies when the checkpoint is passed and some of the old ones are gone. */
static void test_dies_later(void **state)
{
	struct sim s;

	(void)state;
	sim_open(&s, 3);
	(void)sim_deploy(&s, "v1");
	assert_int_equal(sim_deploy(&s, SIM_DIES), OUTCOME_ROLLED_BACK);
	assert_in_range(s.least_serving, 2, 3);
	assert_int_equal(sim_of_image(&s, "v1"), 3);
	sim_close(&s);
}

static void test_first_fails(void **state)
{
	struct sim s;

	(void)state;
	sim_open(&s, 3);
	assert_int_equal(sim_deploy(&s, SIM_NEVER), OUTCOME_GAVE_UP);
	assert_int_equal(s.count, 0);
	assert_int_equal(s.launches, 1);
	assert_string_equal(s.c.group.current, "");
	assert_int_equal(sim_deploy(&s, "v1"), OUTCOME_DEPLOYED);
	sim_close(&s);
}

static void test_failures_allowed(void **state)
{
	struct sim s;

	(void)state;
	sim_open(&s, 2);
	s.c.group.plan.failures = 2;
	(void)sim_deploy(&s, "v1");
	assert_int_equal(sim_deploy(&s, SIM_BREAKS), OUTCOME_ROLLED_BACK);
	assert_int_equal(s.c.group.deployment.failures, 3);
	sim_close(&s);
}

static void test_no_capacity(void **state)
{
	struct sim s;

	(void)state;
	sim_open(&s, 3);
	(void)sim_deploy(&s, "v1");
	s.launch_fails = 2; /* overcome */
	assert_int_equal(sim_deploy(&s, "v2"), OUTCOME_DEPLOYED);
	s.launch_fails = 3;
	assert_int_equal(sim_deploy(&s, "v3"), OUTCOME_ROLLED_BACK);
	assert_contains(s.c.group.deployment.reason, "no capacity");
	assert_int_equal(s.least_serving, 3);
	sim_close(&s);
}

static void test_deadline(void **state)
{
	struct sim s;

	(void)state;
	sim_open(&s, 3);
	(void)sim_deploy(&s, "v1");
	s.c.group.plan.deadline = 20;
	assert_int_equal(sim_deploy(&s, "v2"), OUTCOME_ROLLED_BACK);
	assert_contains(s.c.group.deployment.reason, "not done within 20 s");
	assert_int_equal(s.least_serving, 3);
	sim_close(&s);
}

static void test_replaces_what_dies(void **state)
{
	struct sim s;

	(void)state;
	sim_open(&s, 3);
	(void)sim_deploy(&s, "v1");
	sim_forget(&s);
	sim_kill(&s, "i2");
	sim_step(&s);
	(void)sim_settle(&s);
	assert_int_equal(s.least_serving, 2);
	assert_null(sim_find(&s, "i2"));
	assert_int_equal(s.launches, 1);
	assert_int_equal(sim_of_image(&s, "v1"), 3);
	sim_close(&s);
}

/* Before the first new one has stood its test, an old one is replaced by the old image. */
static void test_old_one_dies_at_checkpoint(void **state)
{
	struct error err = ERROR_INIT;
	struct sim s;

	(void)state;
	sim_open(&s, 3);
	(void)sim_deploy(&s, "v1");
	assert_int_equal(controller_deploy(&s.c, SIM_NEVER, s.now, &err), 0);
	sim_run(&s, 5);
	sim_kill(&s, "i1");
	sim_run(&s, 20);
	assert_int_equal(s.c.group.deployment.phase, PHASE_CHECKPOINT);
	assert_int_equal(sim_of_image(&s, "v1"), 3);
	assert_int_equal(sim_of_image(&s, SIM_NEVER), 1);
	assert_int_equal(sim_settle(&s), OUTCOME_ROLLED_BACK);
	sim_close(&s);
}

/* Replacements that die at once are made more and more slowly, and no deployment is blamed. */
static void test_crash_loop(void **state)
{
	struct sim s;

	(void)state;
	sim_open(&s, 3);
	(void)sim_deploy(&s, "v1");
	sim_forget(&s);
	for (unsigned i = 0; i < 600; i++) {
		if (s.count == 3 && !sim_ended(&s, &s.list[2]) && s.now - s.list[2].born > 1000)
			s.list[2].killed = true;
		sim_step(&s);
	}
	assert_in_range(s.launches, 4, 12);
	assert_in_range(s.least_serving, 2, 2);
	assert_int_equal(sim_settle(&s), OUTCOME_DEPLOYED);
	sim_run(&s, 200);
	assert_int_equal(s.c.group.strikes, 0);
	sim_close(&s);
}

static void test_condemned_and_expired(void **state)
{
	struct sim s;

	(void)state;
	sim_open(&s, 3);
	(void)sim_deploy(&s, "v1");
	sim_forget(&s);
	group_find(&s.c.group, "i1")->expired = true;
	sim_step(&s);
	assert_non_null(sim_find(&s, "i1"));
	(void)sim_settle(&s);
	assert_null(sim_find(&s, "i1"));
	assert_int_equal(s.least_serving, 3); /* replaced first */
	sim_forget(&s);
	group_find(&s.c.group, "i2")->condemned = true;
	sim_step(&s);
	(void)sim_settle(&s);
	assert_null(sim_find(&s, "i2"));
	assert_int_equal(s.least_serving, 2);
	s.c.group.plan.max_lifetime = 300;
	sim_forget(&s);
	sim_run(&s, 400);
	assert_int_equal(s.least_serving, 3);
	assert_null(sim_find(&s, "i3"));
	sim_close(&s);
}

static void test_size(void **state)
{
	struct sim s;

	(void)state;
	sim_open(&s, 2);
	(void)sim_deploy(&s, "v1");
	s.c.group.size = 5;
	(void)sim_settle(&s);
	assert_int_equal(sim_serving(&s), 5);
	s.c.group.size = 1;
	sim_step(&s);
	(void)sim_settle(&s);
	assert_int_equal(sim_serving(&s), 1);
	s.c.group.size = 0;
	sim_step(&s);
	(void)sim_settle(&s);
	assert_int_equal(s.count, 0);
	sim_close(&s);
}

/* One boot time, the time to be trusted, and that of the old ones to stop; nobody missing meanwhile. */
static void test_back_at_once(struct sim *s)
{
	int64_t start = s->now;
	struct error err = ERROR_INIT;

	sim_forget(s);
	assert_int_equal(controller_rollback(&s->c, NULL, s->now, &err), 0);
	sim_step(s);
	assert_int_equal(sim_of_image(s, "v1"), s->c.group.size);
	sim_restart(s);
	assert_true(s->c.group.deployment.at_once);
	assert_int_equal(sim_settle(s), OUTCOME_DEPLOYED);
	assert_string_equal(s->c.group.current, "v1");
	assert_in_range(s->now - start, SIM_BOOT_MS, SIM_BOOT_MS + SIM_STOP_MS + 6 * SIM_STEP_MS);
	assert_in_range(s->least_serving, s->c.group.size, s->c.group.size);
	assert_in_range(s->most_total, 2 * s->c.group.size, 2 * s->c.group.size);
}

static void test_rollback(void **state)
{
	struct error err = ERROR_INIT;
	struct sim s;

	(void)state;
	sim_open(&s, 2);
	(void)sim_deploy(&s, "v1");
	assert_int_equal(controller_rollback(&s.c, NULL, s.now, &err), -ENOENT);
	(void)sim_deploy(&s, "v2");
	test_back_at_once(&s);
	assert_int_equal(controller_deploy(&s.c, "v3", s.now, &err), 0);
	sim_run(&s, 25);
	assert_int_equal(controller_deploy(&s.c, "v4", s.now, &err), -EBUSY);
	assert_int_equal(controller_rollback(&s.c, "v2", s.now, &err), -EBUSY);
	assert_int_equal(controller_rollback(&s.c, NULL, s.now, &err), 0);
	assert_int_equal(controller_rollback(&s.c, NULL, s.now, &err), -EALREADY);
	assert_int_equal(sim_settle(&s), OUTCOME_ROLLED_BACK);
	assert_int_equal(sim_of_image(&s, "v1"), 2);
	sim_close(&s);
}

static void test_throttled(void **state)
{
	struct sim s;

	(void)state;
	sim_open(&s, 3);
	s.throttle = 3;
	assert_int_equal(sim_deploy(&s, "v1"), OUTCOME_DEPLOYED);
	assert_int_equal(sim_deploy(&s, "v2"), OUTCOME_DEPLOYED);
	assert_int_equal(s.least_serving, 3);
	assert_int_equal(sim_deploy(&s, SIM_BREAKS), OUTCOME_ROLLED_BACK);
	assert_int_equal(s.least_serving, 3);
	sim_close(&s);
}

/* Killed at every single call, once before and once after its effect: the successor ends where the first would have. */
static unsigned crash_everywhere(const char *image, enum outcome outcome, bool after)
{
	unsigned n = 1;

	for (bool crashed = true; crashed; n++) {
		struct sim s;

		sim_open(&s, 2);
		s.c.group.plan.warmup = 30;
		(void)sim_deploy(&s, "v1");
		sim_forget(&s);
		s.crash_at = n;
		s.crash_after = after;
		assert_int_equal(controller_deploy(&s.c, image, s.now, &(struct error){0}), 0);
		js_free(s.saved);
		s.saved = group_json(&s.c.group);
		assert_int_equal(sim_settle(&s), outcome);
		assert_int_equal(s.least_serving, 2);
		assert_in_range(s.most_total, 2, 3);
		assert_int_equal(s.count, 2);
		assert_int_equal(sim_of_image(&s, outcome == OUTCOME_DEPLOYED ? image : "v1"), 2);
		crashed = s.crash_at == 0;
		sim_close(&s);
	}
	return n;
}

static void test_killed_anywhere(void **state)
{
	(void)state;
	assert_true(crash_everywhere("v2", OUTCOME_DEPLOYED, false) > 50);
	assert_true(crash_everywhere("v2", OUTCOME_DEPLOYED, true) > 50);
	assert_true(crash_everywhere(SIM_NEVER, OUTCOME_ROLLED_BACK, false) > 50);
	assert_true(crash_everywhere(SIM_NEVER, OUTCOME_ROLLED_BACK, true) > 50);
}

/* A journal that was lost: what it does not know is ended, not kept. */
static void test_strangers(void **state)
{
	struct sim s;

	(void)state;
	sim_open(&s, 1);
	(void)sim_deploy(&s, "v1");
	s.list[s.count++] = (struct sim_instance){.id = "stranger", .image = "v1"};
	sim_run(&s, 3);
	assert_int_equal(s.count, 1);
	assert_null(sim_find(&s, "stranger"));
	sim_close(&s);
}

/* 500 instances: one read a step, four calls an instance, and little memory. */
static void test_large(void **state)
{
	struct sim *s = xcalloc(1, sizeof(*s));
	size_t before = mallinfo2().uordblks;
	unsigned effects;

	(void)state;
	sim_open(s, 500);
	(void)sim_deploy(s, "v1");
	assert_int_equal(sim_deploy(s, "v2"), OUTCOME_DEPLOYED);
	assert_int_equal(s->least_serving, 500);
	assert_int_equal(s->most_total, 550);
	assert_int_equal(s->launches, 500);
	assert_int_equal(s->attaches, 500);
	assert_int_equal(s->drains, 500);
	effects = s->launches + s->attaches + s->drains + s->terminates;
	assert_true(effects <= 500 * 7); /* terminate() is asked again until the instance is gone */
	assert_int_equal(s->calls, 2 * s->reads + effects); /* one read and one save a step */
	assert_true(mallinfo2().uordblks - before < (size_t)64 << 20);
	sim_close(s);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_deployment),
		cmocka_unit_test(test_rolling),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_never_ready),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_flapping),
		cmocka_unit_test(test_dies_later),
		cmocka_unit_test(test_first_fails),
		cmocka_unit_test(test_failures_allowed),
		cmocka_unit_test(test_no_capacity),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_replaces_what_dies),
		cmocka_unit_test(test_old_one_dies_at_checkpoint),
		cmocka_unit_test(test_crash_loop),
		cmocka_unit_test(test_condemned_and_expired),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_rollback),
		cmocka_unit_test(test_throttled),
		cmocka_unit_test(test_killed_anywhere),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
