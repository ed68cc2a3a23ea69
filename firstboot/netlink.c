/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink.h"

/* A request, big enough for everything that is asked here. */
struct request {
	struct nlmsghdr h;
	union {
		struct ifaddrmsg address;
		struct rtmsg route;
		struct ifinfomsg link;
	} u;
	char attributes[160];
};

size_t netlink_address_size(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

static void begin(struct request *r, uint16_t type, uint16_t flags, size_t len)
{
	memset(r, 0, sizeof *r);
	r->h.nlmsg_type = type;
	r->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	r->h.nlmsg_len = (uint32_t)NLMSG_LENGTH(len);
}

static void put(struct request *r, uint16_t type, const void *value, size_t len)
{
	struct rtattr a = {.rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(len)};
	size_t at = NLMSG_ALIGN(r->h.nlmsg_len);

	/* Cannot be: the longest request has four attributes of 16 bytes. */
	if (at + RTA_SPACE(len) > sizeof *r)
		return;
	memcpy((char *)r + at, &a, sizeof a);
	memcpy((char *)r + at + RTA_LENGTH(0), value, len);
	r->h.nlmsg_len = (uint32_t)(at + RTA_LENGTH(len));
}

static void put_number(struct request *r, uint16_t type, uint32_t value)
{
	put(r, type, &value, sizeof value);
}

/* The kernel has answered before send(2) returns. */
static int ask(struct request *r)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[sizeof *r];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	ssize_t n;
	int e = 0;

	if (fd < 0)
		return -errno;
	if (send(fd, r, r->h.nlmsg_len, 0) < 0) {
		e = -errno;
	} else {
		n = recv(fd, &answer, sizeof answer, 0);
		if (n < 0)
			e = -errno;
		else if ((size_t)n < sizeof answer.h + sizeof answer.e || answer.h.nlmsg_type != NLMSG_ERROR)
			e = -EPROTO;
		else
			e = answer.e.error;
	}
	close(fd);
	return e;
}

static int change_address(int index, const struct netlink_address *a, uint16_t type, uint16_t flags)
{
	size_t size = netlink_address_size(a->family);
	struct request r;

	begin(&r, type, flags, sizeof r.u.address);
	r.u.address.ifa_family = (uint8_t)a->family;
	r.u.address.ifa_prefixlen = a->prefix;
	r.u.address.ifa_index = (uint32_t)index;
	put(&r, IFA_LOCAL, a->bytes, size);
	put(&r, IFA_ADDRESS, a->bytes, size);
	if (a->family == AF_INET && a->prefix < 31) {
		uint32_t broadcast;

		memcpy(&broadcast, a->bytes, sizeof broadcast);
		broadcast |= a->prefix ? htonl(UINT32_MAX >> a->prefix) : UINT32_MAX;
		put(&r, IFA_BROADCAST, &broadcast, sizeof broadcast);
	}
	return ask(&r);
}

int netlink_add_address(int index, const struct netlink_address *a)
{
	return change_address(index, a, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
}

int netlink_remove_address(int index, const struct netlink_address *a)
{
	int e = change_address(index, a, RTM_DELADDR, 0);

	return e == -EADDRNOTAVAIL ? 0 : e;
}

int netlink_add_route(int index, const struct netlink_route *route)
{
	size_t size = netlink_address_size(route->to.family);
	struct request r;

	begin(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof r.u.route);
	r.u.route.rtm_family = (uint8_t)route->to.family;
	r.u.route.rtm_dst_len = route->to.prefix;
	r.u.route.rtm_table = RT_TABLE_MAIN;
	r.u.route.rtm_protocol = RTPROT_BOOT;
	r.u.route.rtm_scope =
		route->gateway || route->to.family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	r.u.route.rtm_type = RTN_UNICAST;
	if (route->to.prefix)
		put(&r, RTA_DST, route->to.bytes, size);
	if (route->gateway)
		put(&r, RTA_GATEWAY, route->gateway, size);
	if (route->source)
		put(&r, RTA_PREFSRC, route->source, size);
	put_number(&r, RTA_OIF, (uint32_t)index);
	put_number(&r, RTA_PRIORITY, route->metric);
	return ask(&r);
}

int netlink_set_mtu(int index, uint32_t mtu)
{
	struct request r;

	begin(&r, RTM_NEWLINK, 0, sizeof r.u.link);
	r.u.link.ifi_index = index;
	put_number(&r, IFLA_MTU, mtu);
	return ask(&r);
}
