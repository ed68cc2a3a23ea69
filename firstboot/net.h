/* SPDX-License-Identifier: Apache-2.0 */
/* Network interfaces: which there are, and switching them on (netdevice(7)). */
#ifndef FIRSTBOOT_NET_H
#define FIRSTBOOT_NET_H

#include <stdint.h>

struct net_interface {
	char name[16];
	int index;
	uint8_t mac[6];
};

/* Brings lo up; the kernel gives it 127.0.0.1 and ::1. */
int net_loopback(void);

/* The Ethernet interface called @name; NULL: the one with the lowest index that a device has. -ENODEV: there is
 * none yet. */
int net_find(const char *name, struct net_interface *ret);
int net_up(const struct net_interface *n);

#endif
