/* SPDX-License-Identifier: Apache-2.0 */
/* The process that keeps a local group as it is to be; one at a time for a group. */
#ifndef MKAPPLIANCE_CMD_KEEPER_H
#define MKAPPLIANCE_CMD_KEEPER_H

#include "cmd_group.h"

/*
 * Keeps @d until it has nothing left to keep (size 0, destroyed) or a signal comes; what runs goes on then. -EBUSY when another keeper
 * has the group.
 */
int keeper_run(struct group_dir *d, struct error *err);

#endif
