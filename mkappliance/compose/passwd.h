/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts of a tree that is being made (passwd(5), group(5)); of a finished one: image/accounts.h. */
#ifndef MKAPPLIANCE_COMPOSE_PASSWD_H
#define MKAPPLIANCE_COMPOSE_PASSWD_H

#include <stdbool.h>
#include <stdint.h>

#include "compose/merge.h"

/*
 * The id of @name in @file ("etc/passwd" or "etc/group"): a number, or a name that the image knows; NULL is 0. @what ("owner") is for
 * the usage error.
 */
int passwd_id(const struct merge *m, const char *file, const char *what, const char *name, uint32_t *ret,
	      struct error *err);

/* A line of /etc/passwd. */
struct passwd_entry {
	uint32_t uid;
	uint32_t gid;
	char *name;
	char *home;
	char *shell;
};

/* The line of @user, a name or a number: 1, 0 when there is none. */
int passwd_find(const struct merge *m, const char *user, struct passwd_entry *ret, struct error *err);
void passwd_entry_free(struct passwd_entry *e);
#define _cleanup_passwd_ __attribute__((cleanup(passwd_entry_free)))

#endif
