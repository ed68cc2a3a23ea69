/* SPDX-License-Identifier: Apache-2.0 */
/* A DHCP lease, or a template's address, on an interface. */
#ifndef FIRSTBOOT_LEASE_H
#define FIRSTBOOT_LEASE_H

#include "dhcp.h"
#include "line.h"
#include "net.h"
#include "netlink.h"

/* "a.b.c.d" at the end of @l. */
void lease_print(struct line *l, uint32_t address);

/* Address, MTU and routes of @l; the default route gets @metric. 0 or -errno. */
int lease_apply(const struct net_interface *n, const struct dhcp_lease *l, uint32_t metric);
/* Takes the address away, and with it its routes. */
int lease_remove(const struct net_interface *n, const struct dhcp_lease *l);

/*
 * "[INTERFACE ]ADDRESS/BITS", or "ADDRESS" alone with all its bits. False: it is not that. *ret_name points
 * into @text, its length is *ret_name_len; NULL: no interface is named. Pure.
 */
bool lease_parse_address(const char *text, const char **ret_name, size_t *ret_name_len,
			 struct netlink_address *ret);

#endif
