/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a group: written, read again, and refused when it was altered. */
#include "rollout_sim.h"

static struct json *sample(void)
{
	struct json *j;
	struct sim s;

	sim_open(&s, 2);
	(void)sim_deploy(&s, "v1");
	(void)sim_deploy(&s, "v2");
	j = group_json(&s.c.group);
	sim_close(&s);
	return j;
}

static void test_round_trip(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/state.json", (char *)*state);
	_cleanup_json_ struct json *before = sample(), *after = NULL;
	_cleanup_free_ char *one = js_text(before, false);
	_cleanup_free_ char *two = NULL;
	_cleanup_group_ struct group g = {0}, again = {0};
	struct error err = ERROR_INIT;

	assert_int_equal(group_parse(before, "sample", &g, &err), 0);
	assert_int_equal(journal_write(path, &g, &err), 0);
	assert_int_equal(journal_read(path, &again, &err), 0);
	after = group_json(&again);
	two = js_text(after, false);
	assert_string_equal(one, two);
	assert_string_equal(again.current, "v2");
	assert_int_equal(again.history_count, 1);
	assert_int_equal(again.history[0].outcome, OUTCOME_DEPLOYED);
}

static void expect_refused(const char *from, const char *to, const char *message)
{
	_cleanup_json_ struct json *j = sample(), *altered = NULL;
	_cleanup_free_ char *text = js_text(j, true);
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;
	struct group g;
	const char *at = strstr(text, from);

	if (!at) {
		fail_msg("'%s' is not in %s", from, text);
		return;
	}
	buf_add(&b, text, (size_t)(at - text));
	buf_printf(&b, "%s%s", to, at + strlen(from));
	assert_int_equal(js_parse(b.ptr, b.len, "altered", &altered, &err), 0);
	assert_true(group_parse(altered, "altered", &g, &err) < 0);
	assert_contains(err.text, message);
	assert_contains(err.text, "not the state of a group");
}

static void test_altered(void **state)
{
	(void)state;
	expect_refused("\"format\":1", "\"format\":2", "format");
	expect_refused("\"size\":2", "\"size\":-1", "size");
	expect_refused("\"size\":2", "\"size\":100000", "more than 1000");
	expect_refused("\"drill\":false", "\"drill\":0", "'drill'");
	expect_refused("\"serving\"", "\"sitting\"", "unknown word 'sitting'");
	expect_refused("\"healthy\"", "null", "health");
	expect_refused("\"number\":2,\"phase\":\"none\"", "\"number\":2,\"phase\":\"lost\"", "unknown word");
	expect_refused("\"max_healthy\":110", "\"max_healthy\":100", "none may be added");
	expect_refused("\"instances\":[", "\"other\":[", "'instances'");
	expect_refused("\"strikes\":0", "\"strikes\":63", "strikes");
	expect_refused("\"id\":\"i", "\"id\":\"a-name-that-is-longer-than-any-id-of-an-instance-can-be",
		       "longer than 47");
	expect_refused("\"to\":\"v2\"", "\"to\":2", "to");
}

static void test_twice(void **state)
{
	_cleanup_group_ struct group g = {0};
	_cleanup_json_ struct json *j = sample(), *again = NULL;
	struct error err = ERROR_INIT;
	struct group h;

	(void)state;
	assert_int_equal(group_parse(j, "sample", &g, &err), 0);
	g.instances[1] = g.instances[0];
	again = group_json(&g);
	assert_true(group_parse(again, "twice", &h, &err) < 0);
	assert_contains(err.text, "is there twice");
}

static void test_plan(void **state)
{
	struct rollout_plan p = ROLLOUT_PLAN_DEFAULT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(rollout_plan_check(&p, 3, &err), 0);
	assert_int_equal(rollout_plan_most(&p, 3), 4);
	assert_int_equal(rollout_plan_most(&p, 20), 22);
	assert_int_equal(rollout_plan_least(&p, 3), 3);
	p.min_healthy = 50;
	assert_int_equal(rollout_plan_least(&p, 3), 2);
	p.max_healthy = 100;
	assert_int_equal(rollout_plan_check(&p, 3, &err), 0);
	assert_int_equal(rollout_plan_check(&p, 1, &err), -EINVAL);
	assert_contains(err.text, "none can ever be replaced");
	p.max_healthy = 250;
	assert_int_equal(rollout_plan_check(&p, 3, &err), -EINVAL);
	p = ROLLOUT_PLAN_DEFAULT;
	p.min_healthy = 101;
	assert_int_equal(rollout_plan_check(&p, 3, &err), -EINVAL);
	p = ROLLOUT_PLAN_DEFAULT;
	p.warmup = 0;
	assert_int_equal(rollout_plan_check(&p, 3, &err), -EINVAL);
	assert_int_equal(rollout_plan_check(&ROLLOUT_PLAN_DEFAULT, GROUP_SIZE_MAX + 1, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(test_round_trip),
		cmocka_unit_test(test_altered),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
