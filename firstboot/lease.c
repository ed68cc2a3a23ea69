/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "conf.h"
#include "lease.h"

void lease_print(struct line *l, uint32_t a)
{
	line_printf(l, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

static void put_address(uint32_t address, uint32_t netmask, struct netlink_address *ret)
{
	uint32_t bytes = htonl(address);

	memset(ret, 0, sizeof *ret);
	ret->family = AF_INET;
	ret->prefix = (uint8_t)__builtin_popcount(netmask);
	memcpy(ret->bytes, &bytes, sizeof bytes);
}

static int add_route(const struct net_interface *n, const struct dhcp_lease *l, uint32_t to, uint32_t netmask,
		     uint32_t router, uint32_t metric)
{
	uint32_t gateway = htonl(router), source = htonl(l->address);
	struct netlink_route r = {
		.gateway = router ? (const uint8_t *)&gateway : NULL,
		.source = (const uint8_t *)&source,
		.metric = metric,
	};

	put_address(to, netmask, &r.to);
	return netlink_add_route(n->index, &r);
}

/* Some clouds hand out a /32; the router is on the link all the same. */
static int reach_router(const struct net_interface *n, const struct dhcp_lease *l, uint32_t router)
{
	if (!router || (router & l->netmask) == (l->address & l->netmask))
		return 0;
	return add_route(n, l, router, UINT32_MAX, 0, 0);
}

int lease_apply(const struct net_interface *n, const struct dhcp_lease *l, uint32_t metric)
{
	struct netlink_address a;
	int r;

	/* An interface that cannot have it keeps its own; that still works, more slowly. */
	if (l->mtu)
		(void)netlink_set_mtu(n->index, l->mtu);
	put_address(l->address, l->netmask, &a);
	r = netlink_add_address(n->index, &a);
	for (size_t i = 0; r == 0 && i < l->route_count; i++) {
		const struct dhcp_route *route = &l->routes[i];

		r = reach_router(n, l, route->router);
		if (r == 0)
			r = add_route(n, l, route->destination, route->netmask, route->router, metric);
	}
	if (r == 0)
		r = reach_router(n, l, l->router);
	return r < 0 || !l->router ? r : add_route(n, l, 0, 0, l->router, metric);
}

int lease_remove(const struct net_interface *n, const struct dhcp_lease *l)
{
	struct netlink_address a;

	put_address(l->address, l->netmask, &a);
	return netlink_remove_address(n->index, &a);
}

bool lease_parse_address(const char *text, const char **ret_name, size_t *ret_name_len,
			 struct netlink_address *ret)
{
	const char *blank = strchr(text, ' ');
	const char *address = blank ? blank + 1 : text;
	size_t len = strcspn(address, "/");
	uint64_t prefix, most;
	char copy[64];

	if (blank == text || len >= sizeof copy)
		return false;
	memcpy(copy, address, len);
	copy[len] = '\0';
	memset(ret, 0, sizeof *ret);
	ret->family = strchr(copy, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(ret->family, copy, ret->bytes) != 1)
		return false;
	most = netlink_address_size(ret->family) * 8;
	prefix = most;
	if (address[len] == '/' && !conf_number(address + len + 1, 1, most, &prefix))
		return false;
	ret->prefix = (uint8_t)prefix;
	*ret_name = blank ? text : NULL;
	*ret_name_len = blank ? (size_t)(blank - text) : 0;
	return true;
}
