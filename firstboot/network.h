/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's network: interfaces, addresses by DHCP or from the template, routers' advertisements, the
 * resolver's configuration. It is up before the application starts and is looked after as long as it runs.
 */
#ifndef FIRSTBOOT_NETWORK_H
#define FIRSTBOOT_NETWORK_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "events.h"

#define NETWORK_PATIENCE_MS 60000 /* for the interfaces and their addresses together */
#define NETWORK_LINKS_MAX   ABI_INTERFACES_MAX
#define NETWORK_FDS_MAX	    (NETWORK_LINKS_MAX + 1)

/* Fails the boot when not everything that the template says is there in time; returns before when the machine
 * shall stop (e->stop). Does nothing with Network=none. */
void network_start(const struct conf *c, struct events *e);

/* What the loop has to poll for, and until when at the latest. Returns how many of @p it filled, none where @max is under NETWORK_FDS_MAX. */
size_t network_poll(struct pollfd *p, size_t max);
uint64_t network_deadline(void);

/* Does what is due, without waiting: renews leases, follows routers. An interface that loses its lease loses its
 * address and asks for another. To be called in every round. */
void network_step(void);

#endif
