/* SPDX-License-Identifier: Apache-2.0 */
/* A tree as files again, for programs that want to look at and change it. */
#ifndef MKAPPLIANCE_COMPOSE_EXTRACT_H
#define MKAPPLIANCE_COMPOSE_EXTRACT_H

#include <stdbool.h>

#include "compose/tree.h"

/*
 * Makes everything of @t below the empty directory @dirfd (@name in messages) with owners, modes, times, attributes, hard
 * links and holes. @mapped: in a user name space, where devices cannot be made and the attributes that only the
 * host's root may set cannot be set: these are passed over.
 */
int tree_extract(const struct tree *t, int dirfd, const char *name, bool mapped, struct error *err);

#endif
