/* SPDX-License-Identifier: Apache-2.0 */
/* Names and numbers of Linux's system calls. */
#ifndef MKAPPLIANCE_LIB_SYSCALL_H
#define MKAPPLIANCE_LIB_SYSCALL_H

#include <stddef.h>

struct system_call {
	const char *name;
	int number[2]; /* on x86-64, on arm64; -1: it is not there */
};

/* NULL: there is none of that name. */
const struct system_call *system_call_find(const char *name);

/* All of them, sorted by name; NULL behind the last. */
const struct system_call *system_call_at(size_t i);

#endif
