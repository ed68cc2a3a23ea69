/* SPDX-License-Identifier: Apache-2.0 */
/* SystemCalls=: the system calls that a service may make (seccomp(2), filter mode). */
#ifndef FIRSTBOOT_FILTER_H
#define FIRSTBOOT_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "image/abi.h"

#define FILTER_MAX (6 + 4 * ABI_SYSTEM_CALL_RANGES + 1) /* instructions */

/* Whether @text is what SystemCalls= may say. Pure. */
bool filter_check(const char *text);

/* The program of @text, which was checked; returns its length. Pure. */
size_t filter_build(const char *text, struct sock_filter ret[FILTER_MAX]);

/*
 * For this process and what comes of it, for ever. It must have no_new_privs, or be root. What is forbidden is said in the kernel's
 * log: see forbidden.h. -1 with errno.
 */
int filter_enter(const char *text);

#endif
