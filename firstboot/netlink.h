/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink(7): addresses, routes and the MTU of an interface, one request at a time. Families are AF_INET
 * and AF_INET6, addresses in network order.
 */
#ifndef FIRSTBOOT_NETLINK_H
#define FIRSTBOOT_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netlink_address {
	int family;
	uint8_t bytes[16];
	uint8_t prefix; /* bits of the network */
};

struct netlink_route {
	struct netlink_address to; /* prefix 0: everything */
	const uint8_t *gateway;	   /* NULL: on the link */
	const uint8_t *source;	   /* preferred address of ours, NULL: the kernel chooses */
	uint32_t metric;	   /* lower ones count first */
};

/* Number of bytes of an address of @family. */
size_t netlink_address_size(int family);

/* All: 0 or -errno of the kernel. Adding what is there already replaces it; removing what is not is no error. */
int netlink_add_address(int index, const struct netlink_address *a);
int netlink_remove_address(int index, const struct netlink_address *a);
int netlink_add_route(int index, const struct netlink_route *r);
int netlink_set_mtu(int index, uint32_t mtu);

#endif
