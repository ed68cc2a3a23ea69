/* SPDX-License-Identifier: Apache-2.0 */
/* The table of system calls says what the kernel's own headers (linux-libc-dev) say, both ways. */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>

#include "lib/syscall.h"

#define GENERIC "/usr/include/asm-generic/unistd.h" /* arm64 has these */
#define X86	"/usr/include/x86_64-linux-gnu/asm/unistd_64.h"

/* The name and the number of a line "#define __NR_NAME N"; of the generic header also "__NR3264_NAME". */
static bool take(const char *line, size_t len, char *ret_name, long *ret)
{
	static const char *const prefixes[] = {"#define __NR_", "#define __NR3264_"};

	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(prefixes[i]), name;
		const char *number;

		if (len < n || strncmp(line, prefixes[i], n) != 0)
			continue;
		name = strcspn(line + n, " \t");
		number = line + n + name + strspn(line + n + name, " \t");
		if (name >= 64 || *number < '0' || *number > '9')
			return false;
		snprintf(ret_name, 64, "%.*s", (int)name, line + n);
		*ret = strtol(number, NULL, 10);
		return true;
	}
	return false;
}

/* How many of the header's names the table has, with the same number. */
static size_t compare(const char *path, unsigned arch)
{
	/* No system calls; and arm64 does not take the last ones, or calls them otherwise. */
	static const char *const others[] = {"syscalls", "arch_specific_syscall", "sync_file_range2",
					     "fstatat"};
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;
	size_t count = 0;

	if (access(path, R_OK) < 0)
		skip();
	assert_int_equal(io_read_file(AT_FDCWD, path, 1 << 20, &b, &err), 0);
	for (const char *p = b.ptr; *p;) {
		size_t len = strcspn(p, "\n");
		char name[64];
		long number;
		bool other = true;

		if (take(p, len, name, &number)) {
			const struct system_call *c = system_call_find(name);

			/* 32-bit machines have those with 64 bits of time. */
			other = arch == 1 && number >= 403 && number <= 423;
			for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
				other |= strcmp(name, others[i]) == 0;
			if (!other && (!c || (c->number[arch] >= 0 && c->number[arch] != number)))
				fail_msg("%s: %s is %ld, the table has %d", path, name, number,
					 c ? c->number[arch] : -1);
			count += !other;
		}
		p += len + (p[len] == '\n');
	}
	return count;
}

static void test_x86(void **state)
{
	size_t count = compare(X86, 0), known = 0;
	const struct system_call *c;

	(void)state;
	/* Those behind 450 are of newer kernels than some headers. */
	for (size_t i = 0; (c = system_call_at(i)); i++)
		known += c->number[0] >= 0 && c->number[0] <= 450;
	assert_true(known <= count);
}

static void test_arm64(void **state)
{
	(void)state;
	assert_true(compare(GENERIC, 1) > 250);
	assert_int_equal(system_call_find("openat")->number[1], 56);
	assert_int_equal(system_call_find("fstat")->number[1], 80);
	assert_int_equal(system_call_find("clone3")->number[1], 435);
	assert_int_equal(system_call_find("open")->number[1], -1);
}

static void test_order(void **state)
{
	const struct system_call *c, *before = system_call_at(0);

	(void)state;
	for (size_t i = 1; (c = system_call_at(i)); i++) {
		assert_true(strcmp(before->name, c->name) < 0);
		before = c;
	}
	assert_null(system_call_find("none"));
	assert_null(system_call_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_x86), cmocka_unit_test(test_arm64),
					   cmocka_unit_test(test_order)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
