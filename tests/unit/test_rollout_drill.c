/* SPDX-License-Identifier: Apache-2.0 */
/* Drills on the simulated fleet: the verdict when all goes well, and when it does not. */
#include "rollout_sim.h"

#include "rollout/drill.h"

static void open_well(struct sim *s)
{
	sim_open(s, 3);
	s->c.group.drill = true;
	(void)sim_deploy(s, "v1");
}

static void act(struct sim *s, struct drill *d)
{
	struct instance *i = group_find(&s->c.group, d->victim);
	struct error err = ERROR_INIT;

	switch (drill_action(d, &s->c.group)) {
	case DRILL_STRIKE:
		sim_kill(s, d->victim);
		break;
	case DRILL_CONDEMN:
		assert_non_null(i);
		if (i)
			i->condemned = true;
		break;
	case DRILL_EXPIRE:
		assert_non_null(i);
		if (i)
			i->expired = true;
		break;
	case DRILL_DEPLOY:
		assert_int_equal(controller_deploy(&s->c, d->image, s->now, &err), 0);
		break;
	case DRILL_WAIT:
		break;
	}
}

static struct drill hold(enum drill_kind kind, const char *image)
{
	struct drill d;
	struct sim s;

	open_well(&s);
	drill_begin(&d, kind, &s.c.group, image, 0, s.now);
	do {
		act(&s, &d);
		sim_step(&s);
	} while (!drill_observe(&d, &s.c.group, s.now));
	drill_judge(&d, &s.c.group);
	sim_close(&s);
	return d;
}

static void test_all_well(void **state)
{
	struct drill d;

	(void)state;
	d = hold(DRILL_TERMINATE, NULL);
	assert_true(d.ok);
	assert_string_equal(d.victim, "i1");
	assert_int_equal(d.lowest, 2);
	assert_true(drill_detect_seconds(&d) < 2 && drill_recover_seconds(&d) < 15);
	assert_true(hold(DRILL_UNHEALTHY, NULL).ok);
	d = hold(DRILL_LIFETIME, NULL);
	assert_true(d.ok);
	assert_int_equal(d.lowest, 3);
	d = hold(DRILL_CRASH_LOOP, NULL);
	assert_true(d.ok);
	assert_int_equal(d.crashes, DRILL_CRASHES);
	assert_string_equal(d.victim, "i5");
	d = hold(DRILL_BAD_IMAGE, SIM_NEVER);
	assert_true(d.ok);
	assert_contains(d.detail, "not healthy within");
	assert_int_equal(d.lowest, 3);
	assert_true(hold(DRILL_TAMPERED, SIM_BREAKS).ok);
}

static void test_failures_are_seen(void **state)
{
	struct drill d;
	struct sim s;

	(void)state;
	d = hold(DRILL_BAD_IMAGE, "good-image");
	assert_false(d.ok);
	assert_contains(d.detail, "the image was healthy");
	open_well(&s);
	drill_begin(&d, DRILL_TERMINATE, &s.c.group, NULL, 5, s.now);
	while (!drill_observe(&d, &s.c.group, s.now))
		sim_step(&s); /* nobody strikes */
	drill_judge(&d, &s.c.group);
	assert_false(d.ok);
	assert_string_equal(d.detail, "5 s are over: not noticed");
	drill_begin(&d, DRILL_LIFETIME, &s.c.group, NULL, 0, s.now);
	d.detected = d.recovered = s.now;
	d.lowest = 3;
	d.requests = 10;
	d.lost = 1;
	drill_judge(&d, &s.c.group);
	assert_contains(d.detail, "1 of 10 requests were lost");
	d.lost = 0;
	d.lowest = 2;
	drill_judge(&d, &s.c.group);
	assert_contains(d.detail, "only 2 of 3 served");
	d.lowest = 3;
	d.served = 1;
	drill_judge(&d, &s.c.group);
	assert_contains(d.detail, "the image was served");
	sim_close(&s);
}

static void test_refusals(void **state)
{
	struct error err = ERROR_INIT;
	enum drill_kind kind;
	struct sim s;

	(void)state;
	open_well(&s);
	assert_int_equal(drill_check(&s.c.group, &err), 0);
	sim_kill(&s, "i1");
	sim_step(&s);
	assert_int_equal(drill_check(&s.c.group, &err), -EBUSY);
	assert_contains(err.text, "degraded already: 2 of 3");
	(void)sim_settle(&s);
	s.c.group.drill = false;
	assert_int_equal(drill_check(&s.c.group, &err), -EPERM);
	assert_contains(err.text, "--allow-drill");
	s.c.group.drill = true;
	s.c.group.size = 0;
	assert_int_equal(drill_check(&s.c.group, &err), -EINVAL);
	sim_close(&s);
	assert_int_equal(drill_parse("crash-loop", &kind, &err), 0);
	assert_int_equal(kind, DRILL_CRASH_LOOP);
	assert_int_equal(drill_parse("explode", &kind, &err), -EINVAL);
	assert_contains(err.text, "terminate, unhealthy, bad-image, tampered-image, crash-loop, lifetime");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_well),
		cmocka_unit_test(test_failures_are_seen),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
