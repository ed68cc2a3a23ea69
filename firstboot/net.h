/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces, addresses and routes (netdevice(7)). */
#ifndef FIRSTBOOT_NET_H
#define FIRSTBOOT_NET_H

#include <stdint.h>

#include "dhcp.h"

struct net_interface {
	char name[16];
	int index;
	uint8_t mac[6];
};

/* Brings lo up; the kernel gives it 127.0.0.1 and ::1. */
int net_loopback(void);

/* The Ethernet interface of a device with the lowest index. -ENODEV: there is none yet. */
int net_find(struct net_interface *ret);
int net_up(const struct net_interface *n);

/* Address, mask, route and MTU of the lease. */
int net_configure(const struct net_interface *n, const struct dhcp_lease *l);

#endif
