/* SPDX-License-Identifier: Apache-2.0 */
/* SystemCalls=: what the init takes, what the kernel makes of its filter, and what is said of a forbidden call. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../firstboot/filter.h"
#include "../../firstboot/forbidden.h"
#include "unit.h"

static void test_text(void **state)
{
	static const char *const good[] = {"allow 0", "deny 1 165", "allow 0 0-3 5 7-4095",
					   "deny 4095 4 6-9"};
	static const char *const bad[] = {"",
					  "allow",
					  "allow ",
					  "permit 0 1",
					  "allow 0 ",
					  "allow x 1",
					  "allow 0 1 ",
					  "allow 0  1",
					  "allow 0 3 2",
					  "allow 0 2 2",
					  "allow 0 3-3",
					  "allow 0 4-3",
					  "allow 0 1-4 4",
					  "allow 0 4096",
					  "allow 0 01",
					  "allow 0 1-",
					  "allow 0 -1",
					  "allow 4096 1",
					  "allow 0 1,2",
					  "deny 0 99999999999"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(filter_check(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (filter_check(bad[i]))
			fail_msg("'%s' was taken", bad[i]);
}

static void test_limit(void **state)
{
	struct sock_filter program[FILTER_MAX];
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	buf_printf(&b, "allow 0");
	for (unsigned i = 0; i < ABI_SYSTEM_CALL_RANGES; i++)
		buf_printf(&b, " %u-%u", 10 * i, 10 * i + 1);
	assert_true(filter_check(b.ptr));
	assert_true(filter_build(b.ptr, program) <= FILTER_MAX);
	buf_printf(&b, " 4000");
	assert_false(filter_check(b.ptr));
}

/* What @program answers for a call: an interpreter of the few instructions that it is made of. */
static uint32_t run(const struct sock_filter *program, size_t len, uint32_t arch, uint32_t number)
{
	uint32_t a = 0;

	for (size_t i = 0; i < len; i++) {
		const struct sock_filter *f = &program[i];
		bool true_ = BPF_OP(f->code) == BPF_JEQ	  ? a == f->k
			     : BPF_OP(f->code) == BPF_JGT ? a > f->k
							  : a >= f->k;

		if (BPF_CLASS(f->code) == BPF_RET)
			return f->k;
		if (BPF_CLASS(f->code) == BPF_LD)
			a = f->k == offsetof(struct seccomp_data, arch) ? arch : number;
		else
			i += true_ ? f->jt : f->jf;
	}
	fail_msg("it runs off its end");
	return 0;
}

static void test_program(void **state)
{
	struct sock_filter program[FILTER_MAX];
	size_t len = filter_build("allow 38 3 10-12", program);

	(void)state;
	for (uint32_t n = 0; n < 20; n++)
		assert_int_equal(run(program, len, AUDIT_ARCH_X86_64, n),
				 n == 3 || (n >= 10 && n <= 12) ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | 38);
	assert_int_equal(run(program, len, AUDIT_ARCH_I386, 3), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(run(program, len, AUDIT_ARCH_X86_64, 0x40000003), SECCOMP_RET_KILL_PROCESS);
	len = filter_build("deny 0 3", program);
	assert_int_equal(run(program, len, AUDIT_ARCH_X86_64, 3), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(run(program, len, AUDIT_ARCH_X86_64, 4), SECCOMP_RET_ALLOW);
}

/* In a child with the filter @text: getppid(2), and how that ends. */
static int in_child(const char *text)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || filter_enter(text) < 0)
			_exit(9);
		errno = 0;
		_exit(syscall(SYS_getppid) > 0 ? 0 : errno);
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_kernel(void **state)
{
	_cleanup_free_ char *killed = xasprintf("deny 0 %d", SYS_getppid);
	_cleanup_free_ char *refused = xasprintf("deny %d %d", ENOSYS, SYS_getppid);
	_cleanup_free_ char *all_but =
		xasprintf("allow %d 0-%d %d-4095", EACCES, SYS_getppid - 1, SYS_getppid + 1);

	(void)state;
	assert_int_equal(in_child("deny 0"), 0);
	assert_int_equal(in_child(killed), 256 + SIGSYS);
	assert_int_equal(in_child(refused), ENOSYS);
	assert_int_equal(in_child(all_but), EACCES);
}

#define AUDIT \
	"audit: type=1326 audit(1700000000.1:2): auid=4294967295 uid=33 gid=33 ses=4294967295 subj=unconfined "

static void test_message(void **state)
{
	struct forbidden f;

	(void)state;
	assert_true(forbidden_parse("5,312,3400220,-;" AUDIT
				    "pid=92 comm=\"load\" exe=\"/usr/bin/load\" sig=31 arch=c000003e "
				    "syscall=165 compat=0 ip=0x7f code=0x80000000\n",
				    &f));
	assert_string_equal(f.program, "load");
	assert_int_equal(f.pid, 92);
	assert_int_equal(f.call, 165);
	assert_true(f.killed);
	assert_true(forbidden_parse(
		"5,1,1,-;" AUDIT "pid=1 comm=6C0A exe=\"x\" sig=0 arch=c000003e syscall=0 compat=0", &f));
	assert_string_equal(f.program, "?");
	assert_false(f.killed);
	/* A program's own words, another audit, and one that is cut off. */
	assert_false(forbidden_parse("13,1,1,-;" AUDIT "pid=1 comm=\"a\" exe=\"x\" sig=0 syscall=0", &f));
	assert_false(forbidden_parse("5,1,1,-;audit: type=1400 audit(1:2): pid=1 sig=0 syscall=0", &f));
	assert_false(forbidden_parse("5,1,1,-;" AUDIT "pid=92 comm=\"load\"", &f));
	assert_false(forbidden_parse("", &f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_limit),
					   cmocka_unit_test(test_program), cmocka_unit_test(test_kernel),
					   cmocka_unit_test(test_message)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
