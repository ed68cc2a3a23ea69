/* SPDX-License-Identifier: Apache-2.0 */
/* Records become bars: in their order, within bounds, and without a character that XML does not have. */
#include "unit.h"

#include <fcntl.h>

#include "vm/timeline.h"

static void feed(struct timeline *t, const char *text)
{
	_cleanup_json_ struct json *j = NULL;
	struct error err = ERROR_INIT;

	if (js_parse(text, strlen(text), "record", &j, &err) < 0)
		fail_msg("%s", err.text);
	timeline_add(t, j);
}

static void test_bars(void **state)
{
	static const char *const labels[] = {"kernel",
					     "kernel modules",
					     "the disk appears",
					     "verified",
					     "network eth0",
					     "started",
					     "ready",
					     "runs until power-button",
					     "stopped power-button"};
	struct timeline t = {.count = 0};

	(void)state;
	feed(&t, "{\"event\": \"init\", \"t\": 1.5}");
	feed(&t,
	     "{\"event\": \"verified\", \"t\": 2.0, \"ms\": 500, \"modules_ms\": 300, \"disk_ms\": 100, \"verity_ms\": 900}");
	feed(&t, "{\"event\": \"network\", \"t\": 2.5, \"interface\": \"eth0\", \"state\": \"up\"}");
	feed(&t, "{\"event\": \"started\", \"t\": 2.6, \"pid\": 7}");
	feed(&t, "{\"event\": \"ready\", \"t\": 3, \"ms\": 400}");
	feed(&t, "{\"event\": \"stopping\", \"t\": 9, \"reason\": \"power-button\"}");
	feed(&t, "{\"event\": \"stopped\", \"t\": 9.5, \"reason\": \"power-button\"}");
	assert_int_equal(t.count, sizeof(labels) / sizeof(labels[0]));
	for (size_t i = 0; i < t.count; i++)
		assert_string_equal(t.bars[i].label, labels[i]);
	/* verity_ms is more than there was: not believed. */
	assert_true(t.bars[3].from > 1.89 && t.bars[3].from < 1.91 && t.bars[3].to == 2.0);
	assert_true(t.now == 9.5);
}

/* The steps of stage 2 take the place of the records that came before "started". */
static void test_steps_of_stage_2(void **state)
{
	static const char *const labels[] = {"kernel",	 "verified", "control groups, file systems",
					     "network",	 "sealed",   "started main",
					     "started b"};
	struct timeline t = {.count = 0};

	(void)state;
	feed(&t, "{\"event\": \"init\", \"t\": 1}");
	feed(&t, "{\"event\": \"verified\", \"t\": 2}");
	feed(&t, "{\"event\": \"network\", \"t\": 2.4, \"interface\": \"eth0\", \"state\": \"up\"}");
	feed(&t,
	     "{\"event\": \"started\", \"t\": 3, \"service\": \"main\", \"total_ms\": 2000, \"setup_ms\": 100, "
	     "\"network_ms\": 500, \"seal_ms\": 200, \"exec_ms\": 99999}");
	feed(&t, "{\"event\": \"started\", \"t\": 3.5, \"service\": \"b\", \"total_ms\": 1}");
	assert_int_equal(t.count, sizeof(labels) / sizeof(labels[0]));
	for (size_t i = 0; i < t.count; i++)
		assert_string_equal(t.bars[i].label, labels[i]);
	assert_true(t.bars[3].from > 2.09 && t.bars[3].to < 2.61);
	assert_true(t.bars[5].from > 2.79 && t.bars[5].to == 3.0);
}

static void test_hostile_records(void **state)
{
	struct timeline t = {.count = 0};

	(void)state;
	feed(&t, "{\"event\": \"init\", \"t\": 2}");
	feed(&t, "{\"event\": \"ready\", \"t\": 1}");
	feed(&t, "{\"event\": \"ready\", \"t\": 1e300}");
	feed(&t, "{\"event\": \"ready\", \"t\": \"3\"}");
	feed(&t, "{\"event\": 3, \"t\": 3}");
	feed(&t, "{\"t\": 3}");
	feed(&t, "[]");
	feed(&t, "{\"event\": \"verified\", \"t\": 3, \"modules_ms\": -5, \"disk_ms\": 9223372036854775807}");
	assert_int_equal(t.count, 2);
	for (int i = 0; i < 2 * TIMELINE_MAX; i++)
		feed(&t, "{\"event\": \"ready\", \"t\": 4}");
	assert_int_equal(t.count, TIMELINE_MAX);
}

static void test_document(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/t.svg", (char *)*state);
	_cleanup_buf_ struct buf text = {0};
	struct timeline t = {.count = 0}, empty = {.count = 0};
	struct error err = ERROR_INIT;

	feed(&t, "{\"event\": \"init\", \"t\": 0.00001}");
	feed(&t, "{\"event\": \"<a&b>\\u00e9\", \"t\": 123456, \"reason\": \"\\u001b[31m\"}");
	assert_int_equal(timeline_write(&t, "a<b", path, &err), 0);
	assert_int_equal(io_read_file(AT_FDCWD, path, 1 << 20, &text, &err), 0);
	assert_contains(text.ptr, "a&#60;b: 123456.000 s");
	assert_contains(text.ptr, "&#60;a&#38;b&#62;?? ?[31m");
	assert_contains(text.ptr, "</svg>\n");
	assert_int_equal(timeline_write(&empty, "nothing", path, &err), 0);
	assert_true(timeline_write(&t, "x", "/nowhere/t.svg", &err) < 0);
	assert_contains(err.text, "/nowhere");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bars), cmocka_unit_test(test_steps_of_stage_2),
		cmocka_unit_test(test_hostile_records), unit_test_in_dir(test_document)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
