/* SPDX-License-Identifier: Apache-2.0 */
/* Users and groups as the image's own /etc/passwd and /etc/group know them (passwd(5), group(5)). */
#ifndef MKAPPLIANCE_IMAGE_ACCOUNTS_H
#define MKAPPLIANCE_IMAGE_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compose/tree.h"
#include "lib/error.h"

/* Who a program runs as. */
struct account {
	uint32_t uid;
	uint32_t gid;
	uint32_t *groups; /* supplementary, ascending, without gid */
	size_t group_count;
};

/*
 * @user and @group are names or numbers; @group NULL: the primary group of @user in /etc/passwd. A number
 * needs no entry; without one it has no supplementary groups and, but for 0, must come with a group. The
 * files are read as untrusted: limited in size, lines that are not entries are skipped.
 */
int account_find(const struct tree *tree, const char *user, const char *group, struct account *ret,
		 struct error *err);
void account_free(struct account *a);
#define _cleanup_account_ __attribute__((cleanup(account_free)))

/* Whether the mode bits let @a execute the regular file @e. */
bool account_may_execute(const struct account *a, const struct tree_entry *e);

#endif
