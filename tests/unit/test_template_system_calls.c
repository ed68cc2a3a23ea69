/* SPDX-License-Identifier: Apache-2.0 */
/* SystemCallFilter=: the sets have only calls that there are, and words mean what systemd.exec(5) says they mean. */
#include "unit.h"

#include "lib/syscall.h"
#include "template/system_calls.h"

static void test_sets(void **state)
{
	const char *name, *words;
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; (name = system_calls_set(i, &words)); i++) {
		assert_int_equal(*name, '@');
		for (const char *p = words; *p; p += strspn(p, " ")) {
			size_t n = strcspn(p, " ");
			_cleanup_free_ char *word = xstrndup(p, n);
			bool earlier = *word != '@';
			const char *other, *ignored;

			/* What a set has in it stands before it: resolving ends. */
			for (size_t j = 0; (other = system_calls_set(j, &ignored)) && j < i; j++)
				earlier |= strcmp(other, word) == 0;
			if (!earlier || system_calls_check(word, &err) < 0)
				fail_msg("%s has '%s'", name, word);
			p += n;
		}
	}
}

static bool named_of(const char *const *words, unsigned arch, const char *call, bool *ret_allow)
{
	_cleanup_strlist_ struct strlist list = {0};
	bool named[SYSTEM_CALL_MAX];

	for (; *words; words++)
		strlist_add(&list, *words);
	system_calls_resolve(&list, arch, ret_allow, named);
	return named[system_call_find(call)->number[arch]];
}

static void test_words(void **state)
{
	static const char *const allow[] = {"@system-service", "~@privileged", "mount", NULL};
	static const char *const deny[] = {"~@mount", "~ptrace", "umount2", NULL};
	static const char *const own[] = {"~execve", "~@default", NULL};
	bool is_allow;

	(void)state;
	for (unsigned arch = 0; arch < 2; arch++) {
		assert_true(named_of(allow, arch, "openat", &is_allow) && is_allow);
		assert_true(named_of(allow, arch, "execve", &is_allow));
		assert_true(named_of(allow, arch, "mount", &is_allow));
		assert_false(named_of(allow, arch, "umount2", &is_allow));
		assert_false(named_of(allow, arch, "setuid", &is_allow));
		assert_false(named_of(allow, arch, "kexec_load", &is_allow));
		assert_true(named_of(deny, arch, "mount", &is_allow) && !is_allow);
		assert_true(named_of(deny, arch, "ptrace", &is_allow));
		assert_false(named_of(deny, arch, "umount2", &is_allow));
		assert_false(named_of(deny, arch, "read", &is_allow));
		/* What it needs to start at all. */
		assert_false(named_of(own, arch, "execve", &is_allow));
	}
}

static void assert_text(const char *const *words, unsigned arch, const char *expected)
{
	_cleanup_strlist_ struct strlist list = {0};
	_cleanup_free_ char *text = NULL;

	for (; *words; words++)
		strlist_add(&list, *words);
	text = system_calls_text(&list, arch, 1);
	assert_string_equal(text, expected);
}

/* Names become numbers of the machine's architecture, as ranges. */
static void test_text(void **state)
{
	static const char *const deny[] = {"~@swap", "~mount", "~umount2", "~ptrace", "~open", NULL};
	static const char *const allow[] = {"@default", "read", NULL};

	(void)state;
	assert_text(deny, 0, "deny 1 2 101 165-168");
	/* arm64 has no open(2). */
	assert_text(deny, 1, "deny 1 39-40 117 224-225");
	assert_text(
		allow, 0,
		"allow 1 0-1 9-12 15 24 28 35 39 59-60 63 96-99 102 104 107-108 110-111 115 118 120-121 124 158 186 "
		"201-202 204 218-219 228-231 273-274 302 309 318 324 334 449 453-456 462");
}

static void test_bad_words(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(system_calls_check("~@mount", &err), 0);
	assert_int_equal(system_calls_check("@system-servcie", &err), -EINVAL);
	assert_contains(err.text, "'@system-servcie' is neither a system call nor a set of them");
	assert_contains(err.text, "did you mean '@system-service'?");
	assert_int_equal(system_calls_check("opennat", &err), -EINVAL);
	assert_contains(err.text, "did you mean 'openat'?");
	assert_int_equal(system_calls_check("", &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sets), cmocka_unit_test(test_words),
					   cmocka_unit_test(test_text), cmocka_unit_test(test_bad_words)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
