/* SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "conf.h"

#define NUMBER_MAX 4095 /* as errno, so far; system calls are far below */
#define DIGITS_MAX 5

#if defined(__x86_64__)
#define FILTER_ARCH AUDIT_ARCH_X86_64
#define X32_BIT	    0x40000000 /* the other way to number them, which nobody here uses */
#elif defined(__aarch64__)
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#else
#error "no AUDIT_ARCH_ for this architecture"
#endif

struct filter_range {
	uint64_t first, last;
};

/* The number at *@p, which is moved behind it. */
static bool take_number(const char **p, uint64_t *ret)
{
	char digits[DIGITS_MAX];
	size_t len = strspn(*p, "0123456789");

	if (len == 0 || len >= sizeof digits)
		return false;
	memcpy(digits, *p, len);
	digits[len] = '\0';
	*p += len;
	return conf_number(digits, 0, NUMBER_MAX, ret);
}

/* " N" or " N-M" at *@p. */
static bool take_range(const char **p, struct filter_range *ret)
{
	if (**p != ' ')
		return false;
	++*p;
	if (!take_number(p, &ret->first))
		return false;
	ret->last = ret->first;
	if (**p != '-')
		return true;
	++*p;
	return take_number(p, &ret->last) && ret->last > ret->first;
}

/* "allow ERRNO" or "deny ERRNO" at *@p. */
static bool take_head(const char **p, bool *ret_allow, uint64_t *ret_error)
{
	*ret_allow = strncmp(*p, "allow ", 6) == 0;
	if (!*ret_allow && strncmp(*p, "deny ", 5) != 0)
		return false;
	*p += *ret_allow ? 6 : 5;
	return take_number(p, ret_error);
}

bool filter_check(const char *text)
{
	struct filter_range r, before = {.first = 0};
	uint64_t error;
	bool allow;
	unsigned count = 0;

	if (!take_head(&text, &allow, &error))
		return false;
	while (*text) {
		if (count == ABI_SYSTEM_CALL_RANGES || !take_range(&text, &r) ||
		    (count > 0 && r.first <= before.last))
			return false;
		before = r;
		count++;
	}
	return true;
}

static struct sock_filter statement(unsigned code, uint32_t k)
{
	return (struct sock_filter){.code = (uint16_t)code, .k = k};
}

static struct sock_filter jump(unsigned test, uint32_t k, unsigned if_true, unsigned if_false)
{
	return (struct sock_filter){.code = (uint16_t)(BPF_JMP | test | BPF_K),
				    .jt = (uint8_t)if_true,
				    .jf = (uint8_t)if_false,
				    .k = k};
}

size_t filter_build(const char *text, struct sock_filter ret[FILTER_MAX])
{
	struct filter_range r;
	uint64_t error = 0;
	bool allow = true;
	size_t n = 0;
	uint32_t forbid, named, others;

	(void)take_head(&text, &allow, &error);
	forbid = error ? SECCOMP_RET_ERRNO | (uint32_t)error : SECCOMP_RET_KILL_PROCESS;
	named = allow ? SECCOMP_RET_ALLOW : forbid;
	others = allow ? forbid : SECCOMP_RET_ALLOW;
	ret[n++] = statement(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	ret[n++] = jump(BPF_JEQ, FILTER_ARCH, 1, 0);
	ret[n++] = statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	ret[n++] = statement(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
#ifdef X32_BIT
	ret[n++] = jump(BPF_JGE, X32_BIT, 0, 1);
	ret[n++] = statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
#endif
	/* They rise: what is not above the end of one and below its start is in none of them. */
	while (take_range(&text, &r)) {
		ret[n++] = jump(BPF_JGT, (uint32_t)r.last, 3, 0);
		ret[n++] = jump(BPF_JGE, (uint32_t)r.first, 0, 1);
		ret[n++] = statement(BPF_RET | BPF_K, named);
		ret[n++] = statement(BPF_RET | BPF_K, others);
	}
	ret[n++] = statement(BPF_RET | BPF_K, others);
	return n;
}

int filter_enter(const char *text)
{
	static struct sock_filter program[FILTER_MAX]; /* of the child: its parent never touches it */
	struct sock_fprog p = {.len = (unsigned short)filter_build(text, program), .filter = program};

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &p);
}
