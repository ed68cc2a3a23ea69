/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the modules are only for devices that a machine may not have. */
#ifndef MKAPPLIANCE_COMPOSE_KERNEL_DEVICES_H
#define MKAPPLIANCE_COMPOSE_KERNEL_DEVICES_H

#include "compose/compose.h"
#include "compose/modules.h"
#include "template/template.h"

/*
 * Sets the devices of each module of @list, which are there because of those of @defaults (lists of names that end in NULL, and a NULL), of
 * those that the template names, and of what they need. Those that the template names are for every machine.
 */
int kernel_devices(struct modules *m, const struct template *t, const char *const *const *defaults,
		   struct kernel_module *list, size_t len, struct error *err);

#endif
