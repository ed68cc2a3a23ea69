/* SPDX-License-Identifier: Apache-2.0 */
/* What makes one machine of a base, and must not be in an image that many machines run. */
#ifndef MKAPPLIANCE_COMPOSE_DISK_CLEAN_H
#define MKAPPLIANCE_COMPOSE_DISK_CLEAN_H

#include "compose/disk_guest.h"

/*
 * Removes it: identity, keys, logs, caches, leases, and what binds the system to its disk (fstab, crypttab). The list is
 * in appliance.conf(5); what was there and is dropped is in the debug log.
 */
int disk_clean(struct guest *g, struct error *err);

/* Patterns for guest_take_tree(): what belongs to a boot loader, a file system or a running system. Ends in NULL. */
extern const char *const disk_excludes[];

#endif
