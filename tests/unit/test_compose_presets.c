/* SPDX-License-Identifier: Apache-2.0 */
/* Which links presets make and take away. */
#include "compose_fixture.h"

#include "compose/presets.h"

#define LIB   "usr/lib/systemd/system"
#define ETC   "etc/systemd/system"
#define WANTS ETC "/multi-user.target.wants/"

#define INSTALL "[Service]\nExecStart=/x\n[Install]\nWantedBy=multi-user.target\n"

static const struct member units[] = {
	{.path = "lib", .type = '2', .link = "usr/lib"},
	{.path = LIB "/a.service", .data = INSTALL},
	{.path = LIB "/b.service", .data = INSTALL "RequiredBy=c.target d.target\nAlias=bee.service\n"},
	{.path = LIB "/t@.service", .data = INSTALL "DefaultInstance=one\n"},
	{.path = LIB "/static.service", .data = "[Service]\nExecStart=/x\n"},
	{.path = LIB "/on.service", .data = INSTALL "Alias=other.service\n"},
	{.path = WANTS "on.service", .type = '2', .link = "/" LIB "/on.service"},
	{.path = ETC "/other.service", .type = '2', .link = "/" LIB "/on.service"},
	{.path = ETC "/masked.service", .type = '2', .link = "/dev/null"},
	{.path = LIB "/masked.service", .data = INSTALL},
	{0},
};

/* A tree with @presets (ends in a path of NULL) applied. */
static struct merge *applied(const struct member *presets)
{
	struct layer base = layer_from(units), more = layer_from(presets);
	struct error err = ERROR_INIT;
	struct merge *m = merge_new();

	if (merge_layer(m, &base, 0, 0, &err) < 0 || merge_layer(m, &more, 1, MERGE_KEEP_LINKS, &err) < 0 ||
	    presets_apply(m, 2, &err) < 0)
		fail_msg("%s", err.text);
	return m;
}

static void test_enable(void **state)
{
	static const struct member presets[] = {
		{.path = "usr/lib/systemd/system-preset/50-app.preset",
		 .data = "# comment\n\nenable b.service\nenable t@.service\nenable static.service\nenable masked.service\n"
			 "enable none.service\nodd\n"},
		{0},
	};
	_cleanup_merge_ struct merge *m = applied(presets);
	_cleanup_free_ char *real = merge_real_path(m, WANTS "b.service");

	(void)state;
	assert_string_equal(real, LIB "/b.service");
	assert_true(merge_has(m, ETC "/c.target.requires/b.service"));
	assert_true(merge_has(m, ETC "/d.target.requires/b.service"));
	assert_true(merge_has(m, ETC "/bee.service"));
	assert_true(merge_has(m, WANTS "t@one.service"));
	assert_true(merge_has(m, WANTS "on.service"));
	assert_false(merge_has(m, WANTS "a.service"));
	assert_false(merge_has(m, WANTS "masked.service"));
	assert_false(merge_has(m, WANTS "static.service"));
}

static void test_instances(void **state)
{
	static const struct member presets[] = {
		{.path = "lib/systemd/system-preset/1.preset", .data = "enable t@.service blue green\n"},
		{0},
	};
	_cleanup_merge_ struct merge *m = applied(presets);

	(void)state;
	assert_true(merge_has(m, WANTS "t@blue.service"));
	assert_true(merge_has(m, WANTS "t@green.service"));
	assert_false(merge_has(m, WANTS "t@one.service"));
}

static void test_disable(void **state)
{
	static const struct member presets[] = {
		{.path = "etc/systemd/system-preset/10-own.preset",
		 .data = "disable on.service\nenable a.*\n"},
		{0},
	};
	_cleanup_merge_ struct merge *m = applied(presets);

	(void)state;
	assert_false(merge_has(m, WANTS "on.service"));
	assert_false(merge_has(m, ETC "/other.service"));
	assert_true(merge_has(m, LIB "/on.service"));
	assert_true(merge_has(m, WANTS "a.service"));
}

/* The first rule counts; /etc hides a file of the same name; a default, and systemd's own, change nothing. */
static void test_order(void **state)
{
	static const struct member presets[] = {
		{.path = "etc/systemd/system-preset/20-x.preset", .data = "enable a.service\n"},
		{.path = "usr/lib/systemd/system-preset/10-x.preset", .data = "disable b.service\n"},
		{.path = "usr/lib/systemd/system-preset/20-x.preset", .data = "enable t@.service\n"},
		{.path = "usr/lib/systemd/system-preset/30-x.preset", .data = "enable b.service\n"},
		{.path = "usr/lib/systemd/system-preset/40-x.preset", .data = "enable t@.service\n"},
		{.path = "etc/systemd/system-preset/40-x.preset", .type = '2', .link = "/dev/null"},
		{.path = "usr/lib/systemd/system-preset/90-systemd.preset",
		 .data = "disable on.service\nenable t@.service\n"},
		{.path = "usr/lib/systemd/system-preset/99-default.preset", .data = "disable *\n"},
		{0},
	};
	_cleanup_merge_ struct merge *m = applied(presets);

	(void)state;
	assert_true(merge_has(m, WANTS "a.service"));
	assert_false(merge_has(m, WANTS "b.service"));
	assert_false(merge_has(m, WANTS "t@one.service"));
	assert_true(merge_has(m, WANTS "on.service"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enable),
		cmocka_unit_test(test_instances),
		cmocka_unit_test(test_disable),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
