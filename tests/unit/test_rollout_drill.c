/* SPDX-License-Identifier: Apache-2.0 */
/* Drills on the simulated fleet: the verdict when all goes well, and when it does not. */
#include "rollout_sim.h"

#include "rollout/drill_history.h"

static void open_well(struct sim *s)
{
	sim_open(s, 3);
	s->c.group.drill = true;
	(void)sim_deploy(s, "v1");
}

static int sim_look(void *data, struct group *ret, struct error *err)
{
	struct sim *s = data;

	(void)err;
	*ret = s->c.group;
	ret->instances = xmemdup(ret->instances, ret->count * sizeof(*ret->instances));
	ret->history = NULL;
	return 0;
}

static int sim_act(void *data, struct drill *d, enum drill_action action, struct error *err)
{
	struct sim *s = data;
	struct instance *i = group_find(&s->c.group, d->victim);

	switch (action) {
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
		return controller_deploy(&s->c, d->image, s->now, err);
	case DRILL_WAIT:
		fail_msg("nothing to do");
	}
	return 0;
}

static int sim_wait(void *data, struct error *err)
{
	(void)err;
	sim_step(data);
	return 0;
}

static int64_t sim_now(void *data)
{
	return ((struct sim *)data)->now;
}

static struct drill_stage stage_of(struct sim *s)
{
	return (struct drill_stage){
		.look = sim_look, .act = sim_act, .wait = sim_wait, .now = sim_now, .data = s};
}

static struct drill hold(enum drill_kind kind, const char *image)
{
	const struct drill_order order = {.kind = kind, .image = image};
	_cleanup_group_ struct group end = {0};
	struct error err = ERROR_INIT;
	struct drill_stage stage;
	struct drill d;
	struct sim s;

	open_well(&s);
	stage = stage_of(&s);
	assert_int_equal(drill_begin(&d, &order, &s.c.group, s.now, &err), 0);
	assert_int_equal(drill_run(&stage, &d, &end, &err), 0);
	drill_judge(&d, &end);
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
	d = hold(DRILL_CRASH_LOOP, SIM_BREAKS);
	assert_true(d.ok);
	assert_contains(drill_expectation(&d), "rolled back");
}

/* One of each zone: all at once, and the oldest of each. */
static void test_zones(void **state)
{
	static const char *const zones[] = {"a", "b", "a", "b", "a"};
	const struct drill_order order = {.kind = DRILL_TERMINATE, .per_zone = true};
	_cleanup_group_ struct group end = {0};
	struct error err = ERROR_INIT;
	struct drill_stage stage;
	struct json *j;
	struct drill d;
	struct sim s;

	(void)state;
	sim_open(&s, 5);
	s.c.group.drill = true;
	(void)sim_deploy(&s, "v1");
	for (size_t i = 0; i < s.c.group.count; i++)
		rollout_copy(s.c.group.instances[i].zone, ROLLOUT_ID_SIZE, zones[i]);
	stage = stage_of(&s);
	assert_int_equal(drill_begin(&d, &order, &s.c.group, s.now, &err), 0);
	assert_int_equal(d.victim_count, 2);
	assert_string_equal(d.victims[0], "i1");
	assert_string_equal(d.victims[1], "i2");
	assert_int_equal(drill_run(&stage, &d, &end, &err), 0);
	drill_judge(&d, &end);
	assert_true(d.ok);
	assert_int_equal(d.lowest, 3);
	j = drill_json(&d);
	assert_int_equal(js_array_len(js_get(j, "instances")), 2);
	assert_true(js_is_null(js_get(j, "requests")));
	js_free(j);
	d.lowest = 2;
	drill_judge(&d, &end);
	assert_false(d.ok);
	/* One in each zone would be all of them. */
	for (size_t i = 0; i < s.c.group.count; i++)
		snprintf(s.c.group.instances[i].zone, ROLLOUT_ID_SIZE, "z%zu", i);
	assert_int_equal(drill_begin(&d, &order, &s.c.group, s.now, &err), -EINVAL);
	assert_contains(err.text, "one in each zone are all 5");
	sim_close(&s);
}

static void test_history(void **state)
{
	static const char *const wrong[] = {"",
					    "ok",
					    "2026-11-26T18:20:00Z",
					    "2026-11-26T18:20:00Z ok",
					    "2026-11-26 ok 1.0",
					    "2026-11-26T18:20:00Z ok ",
					    "2026-11-26T18:20:00Z ok -1",
					    "2026-11-26T18:20:00Z fine 1",
					    "2026-11-26T18:20:00Z ok 1.2.3",
					    "2026-11-26T18:20:00Z ok nan",
					    "2026-11-26T18:20:00Z ok 9999999999999",
					    "xxxx-11-26T18:20:00Z ok 1",
					    "2026-11-26T18:20:00Z ok 1 "};
	struct drill d = {.started = 1000, .recovered = 43150, .ok = true, .deadline = 60};
	struct drill_history h = {0};
	char text[DRILL_HISTORY_SIZE];
	struct json *j;

	(void)state;
	drill_history_text(&d, 1795717200000, text);
	assert_string_equal(text, "2026-11-26T18:20:00Z ok 42.1");
	assert_true(drill_history_parse(text, &h));
	assert_string_equal(h.date, "2026-11-26T18:20:00Z");
	assert_true(h.ok && h.seconds > 42.0 && h.seconds < 42.2);
	j = drill_json(&d);
	assert_true(drill_history_of_json(j, &h));
	assert_string_equal(h.date, "1970-01-01T00:00:44Z");
	js_free(j);
	d.ok = false;
	d.recovered = 0;
	drill_history_text(&d, 1795717200000, text);
	assert_string_equal(text, "2026-11-26T18:20:00Z failed never");
	assert_true(drill_history_parse(text, &h));
	assert_true(!h.ok && h.seconds < 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (drill_history_parse(wrong[i], &h))
			fail_msg("taken: '%s'", wrong[i]);
	assert_false(drill_history_of_json(NULL, &h));
}

static void test_failures_are_seen(void **state)
{
	const struct drill_order order = {.kind = DRILL_TERMINATE, .deadline = 5};
	const struct drill_order lifetime = {.kind = DRILL_LIFETIME};
	struct error err = ERROR_INIT;
	struct drill d;
	struct sim s;

	(void)state;
	d = hold(DRILL_BAD_IMAGE, "good-image");
	assert_false(d.ok);
	assert_contains(d.detail, "the image was healthy");
	open_well(&s);
	assert_int_equal(drill_begin(&d, &order, &s.c.group, s.now, &err), 0);
	while (!drill_observe(&d, &s.c.group, s.now))
		sim_step(&s); /* nobody strikes */
	drill_judge(&d, &s.c.group);
	assert_false(d.ok);
	assert_string_equal(d.detail, "5 s are over: not noticed");
	assert_int_equal(drill_begin(&d, &lifetime, &s.c.group, s.now, &err), 0);
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
	d.lends = true; /* a provider that ends before it starts */
	drill_judge(&d, &s.c.group);
	assert_true(d.ok);
	d.lends = false;
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
	assert_contains(err.text, "; i1 does not");
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

/* With the only machine nobody would serve; but where the new one comes first, one is enough. */
static void test_only_machine(void **state)
{
	static const struct {
		struct drill_order order;
		int expected;
	} cases[] = {
		{{.kind = DRILL_TERMINATE}, -EINVAL},
		{{.kind = DRILL_UNHEALTHY}, -EINVAL},
		{{.kind = DRILL_CRASH_LOOP}, -EINVAL},
		{{.kind = DRILL_LIFETIME}, 0},
		{{.kind = DRILL_LIFETIME, .lends = true}, -EINVAL},
		{{.kind = DRILL_BAD_IMAGE, .image = "v2"}, 0},
	};
	struct drill d;
	struct sim s;

	(void)state;
	sim_open(&s, 1);
	s.c.group.drill = true;
	(void)sim_deploy(&s, "v1");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;

		assert_int_equal(drill_begin(&d, &cases[i].order, &s.c.group, s.now, &err),
				 cases[i].expected);
		assert_true(cases[i].expected == 0 || strstr(err.text, "nobody would serve meanwhile"));
	}
	sim_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_well), cmocka_unit_test(test_zones),
		cmocka_unit_test(test_history),	 cmocka_unit_test(test_failures_are_seen),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_only_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
