/* SPDX-License-Identifier: Apache-2.0 */
/* Network=dhcp: an interface, a lease and the resolver's configuration, before the application starts. */
#ifndef FIRSTBOOT_NETWORK_H
#define FIRSTBOOT_NETWORK_H

#include "events.h"

#define NETWORK_PATIENCE_MS 60000 /* for the interface and the lease together */

/* Fails the boot when there is no lease in time; returns without one when the machine shall stop (e->stop).
 */
void network_start(struct events *e);

#endif
