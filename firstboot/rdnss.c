/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dhcp_options.h"
#include "file.h"
#include "rdnss.h"

#define ICMP_ADVERTISEMENT 134
#define ND_OPT_RDNSS	   25
#define ND_OPT_DNSSL	   31

int rdnss_open(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	int group = RTNLGRP_ND_USEROPT;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int r;

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static void forget(struct rdnss *r, size_t i)
{
	r->count--;
	memmove(&r->servers[i], &r->servers[i + 1], (r->count - i) * sizeof r->servers[0]);
}

/* One server with a lifetime in seconds; a known one only gets its time. */
static bool take_server(struct rdnss *r, int index, const uint8_t *address, uint32_t lifetime, uint64_t now)
{
	uint64_t until = lifetime == UINT32_MAX ? UINT64_MAX : now + (uint64_t)lifetime * 1000;
	size_t i;

	for (i = 0; i < r->count; i++)
		if (r->servers[i].index == index && memcmp(r->servers[i].address, address, 16) == 0)
			break;
	if (i < r->count) {
		r->servers[i].until = until;
		if (lifetime == 0)
			forget(r, i);
		return lifetime == 0;
	}
	/* Not the unspecified address, not multicast. */
	if (lifetime == 0 || r->count == RDNSS_MAX || address[0] == 0xff ||
	    memcmp(address, (const uint8_t[16]){0}, 16) == 0)
		return false;
	memcpy(r->servers[i].address, address, 16);
	r->servers[i].index = index;
	r->servers[i].until = until;
	r->count++;
	return true;
}

/* The last advertisement with domains counts. */
static bool take_search(struct rdnss *r, const uint8_t *names, size_t len, uint32_t lifetime)
{
	char search[RDNSS_SEARCH] = "";

	if (lifetime)
		dhcp_search_list(names, len, search, sizeof search);
	if (strcmp(search, r->search) == 0)
		return false;
	memcpy(r->search, search, sizeof search);
	return true;
}

/* One option: type, length in units of 8 bytes, reserved, lifetime, content. */
static bool take_option(struct rdnss *r, int index, const uint8_t *p, size_t len, uint64_t now)
{
	uint32_t lifetime = dhcp_get32(p + 4);
	bool changed = false;

	if (p[0] == ND_OPT_DNSSL)
		return take_search(r, p + 8, len - 8, lifetime);
	for (size_t at = 8; p[0] == ND_OPT_RDNSS && len - at >= 16; at += 16)
		changed |= take_server(r, index, p + at, lifetime, now);
	return changed;
}

bool rdnss_take(struct rdnss *r, const void *message, size_t len, uint64_t now)
{
	const uint8_t *p = message;
	struct nduseroptmsg m;
	struct nlmsghdr h;
	bool changed = false;
	size_t end;

	if (len < NLMSG_LENGTH(sizeof m))
		return false;
	memcpy(&h, p, sizeof h);
	memcpy(&m, p + NLMSG_HDRLEN, sizeof m);
	end = NLMSG_LENGTH(sizeof m) + (size_t)m.nduseropt_opts_len;
	if (h.nlmsg_type != RTM_NEWNDUSEROPT || h.nlmsg_len > len || end > h.nlmsg_len ||
	    m.nduseropt_family != AF_INET6 || m.nduseropt_icmp_type != ICMP_ADVERTISEMENT)
		return false;
	for (size_t at = NLMSG_LENGTH(sizeof m); end - at >= 8;) {
		size_t size = (size_t)p[at + 1] * 8;

		if (size == 0 || size > end - at)
			break;
		changed |= take_option(r, m.nduseropt_ifindex, p + at, size, now);
		at += size;
	}
	return changed;
}

bool rdnss_expire(struct rdnss *r, uint64_t now)
{
	size_t before = r->count;

	for (size_t i = r->count; i-- > 0;)
		if (r->servers[i].until <= now)
			forget(r, i);
	return r->count != before;
}

uint64_t rdnss_deadline(const struct rdnss *r)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < r->count; i++)
		if (r->servers[i].until < next)
			next = r->servers[i].until;
	return next;
}

bool rdnss_read(struct rdnss *r, int fd)
{
	static _Alignas(8) uint8_t message[2048];
	bool changed = false;
	ssize_t n;

	/* Not more at a time than a quiet link has in a day. */
	for (int i = 0; i < 16; i++) {
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof from;

		n = recvfrom(fd, message, sizeof message, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
		if (n < 0)
			break;
		if (from_len == sizeof from && from.nl_pid == 0)
			changed |= rdnss_take(r, message, (size_t)n, clock_ms());
	}
	return changed;
}
