/* SPDX-License-Identifier: Apache-2.0 */
/* Which environment files of an image the init will take. */
#include "unit.h"

#include <errno.h>
#include <sys/stat.h>

#include "image/conf_internal.h"
#include "lib/cleanup.h"
/* The other side of the contract. */
#define env_set init_env_set
#include "../../firstboot/envfile.c"

/* What the init says of it: the number of the line that it does not take. */
static unsigned ask_init(const char *text, size_t len)
{
	const char *vars[9];
	struct env e = {.ptr = vars, .max = 8};
	_cleanup_free_ char *copy = xmemdup(text, len + 1);

	return envfile_parse(copy, len, &e);
}

/* The builder and the init agree on it. */
static int check(const char *text, size_t len, struct error *err)
{
	char path[] = "etc/env";
	struct tree_entry e = {.path = path,
			       .mode = S_IFREG | 0644,
			       .nlink = 1,
			       .origin = ORIGIN_MEMORY,
			       .memory = (void *)(uintptr_t)text,
			       .size = len};
	struct tree t = {0};
	int r = conf_check_env_file(&t, &e, "[Init] EnvironmentFile", "/etc/env", err);

	assert_int_equal(r<0, ask_init(text, len)> 0);
	return r;
}

#define CHECK(text, err) check(text, sizeof(text) - 1, err)

static void test_good(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(CHECK("# A B\n\n ; c\nA=1\r\n  _b2= x \"y\" \nC=\"a\\\"b\" \t\nD=''\nE=", &err), 0);
	assert_int_equal(CHECK("", &err), 0);
}

static void test_bad(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(CHECK("A=1\nexport B=2\n", &err), -EINVAL);
	assert_string_equal(
		err.text,
		"[Init] EnvironmentFile=: line 2 of '/etc/env' is not NAME=value, where quotes stand "
		"around all of the value or nowhere");
	assert_int_equal(CHECK("A=1\nB=\0\n", &err), -EINVAL);
	assert_non_null(strstr(err.text, "line 2 "));
	assert_int_equal(CHECK("A=\"x\\\"\n", &err), -EINVAL);
	assert_non_null(strstr(err.text, "line 1 "));
	assert_int_equal(CHECK("A='x'y\n", &err), -EINVAL);
	assert_int_equal(CHECK("A='x\ny'\n", &err), -EINVAL);
	assert_int_equal(CHECK("1A=x", &err), -EINVAL);
	assert_int_equal(CHECK("=x", &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
