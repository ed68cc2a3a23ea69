/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the modules in the initrd a second processor may load beside the first. */
#ifndef MKAPPLIANCE_COMPOSE_KERNEL_SHARE_H
#define MKAPPLIANCE_COMPOSE_KERNEL_SHARE_H

#include "compose/compose.h"
#include "compose/modules.h"

/*
 * Sets the turn of each module of @list, which are in loading order and of @m. On the side are those of @side (names that end in NULL)
 * and what they need, unless one of the others needs that too; of these, those of @hash have a turn of their own where that is possible.
 */
int kernel_share(struct modules *m, const char *const *side, const char *const *hash,
		 struct kernel_module *list, size_t len, struct error *err);

#endif
