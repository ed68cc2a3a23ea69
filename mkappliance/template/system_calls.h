/* SPDX-License-Identifier: Apache-2.0 */
/* SystemCallFilter=: sets of system calls by subject, and which calls a list of words means. */
#ifndef MKAPPLIANCE_TEMPLATE_SYSTEM_CALLS_H
#define MKAPPLIANCE_TEMPLATE_SYSTEM_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/mem.h"

#define SYSTEM_CALL_MAX 1024 /* numbers are below it */

/* A name of lib/syscall.h or a set, "@mount", maybe behind '~'. A usage error proposes the nearest one. */
int system_calls_check(const char *word, struct error *err);

/*
 * What @words mean on an architecture (index of system_call.number). The first word decides: behind '~' the filter forbids
 * what is named, else it allows nothing else than that and @default; later words behind the other sign take out again.
 * *ret_allow: which it is. @ret_named[number]: what is allowed, or forbidden.
 */
void system_calls_resolve(const struct strlist *words, unsigned arch, bool *ret_allow,
			  bool ret_named[SYSTEM_CALL_MAX]);

/* The same in the words of SystemCalls= in image/abi.h: "deny 1 165-166". @error: an errno, or 0. To be freed. */
char *system_calls_text(const struct strlist *words, unsigned arch, unsigned error);

/* The sets, for the manual: name i and its words with blanks between; NULL behind the last. */
const char *system_calls_set(size_t i, const char **ret_words);

#endif
