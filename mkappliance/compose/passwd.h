/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accounts as passwd(5) and group(5) have them: the text, which is read as untrusted (lines that are not entries are passed over), and
 * those of a tree that is being made. Of a finished one: image/accounts.h.
 */
#ifndef MKAPPLIANCE_COMPOSE_PASSWD_H
#define MKAPPLIANCE_COMPOSE_PASSWD_H

#include <stdbool.h>
#include <stdint.h>

#include "compose/merge.h"

#define PASSWD_MAX ((size_t)4 << 20) /* bytes of such a file */

/* A line of passwd(5). All strings are owned. */
struct passwd_entry {
	uint32_t uid;
	uint32_t gid;
	char *name;
	char *home;  /* "" at least */
	char *shell; /* "" at least */
};

void passwd_entry_free(struct passwd_entry *e);
#define _cleanup_passwd_ __attribute__((cleanup(passwd_entry_free)))

/* ---- the text ---- */

/* A whole decimal number below 2^32 - 1, which stands for "none". */
bool passwd_parse_id(const char *text, uint32_t *ret);

/* The line of passwd(5) of @user, a name or, when it is one, a number. */
bool passwd_find_text(const char *text, const char *user, struct passwd_entry *ret);

/* The number of @group in group(5), by its name. */
bool group_find_text(const char *text, const char *group, uint32_t *ret);

/* Calls @found for each group of group(5) that lists @user. */
void group_each_of(const char *text, const char *user, void (*found)(uint32_t gid, void *data), void *data);

/* ---- a tree that is being made ---- */

/*
 * The id of @name in @file ("etc/passwd" or "etc/group"): a number, or a name that the image knows; NULL is 0. @what ("owner") is for
 * the usage error.
 */
int passwd_id(const struct merge *m, const char *file, const char *what, const char *name, uint32_t *ret,
	      struct error *err);

/* The line of @user, a name or a number: 1, 0 when there is none. */
int passwd_find(const struct merge *m, const char *user, struct passwd_entry *ret, struct error *err);

#endif
