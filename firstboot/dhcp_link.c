/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dhcp_link.h"
#include "file.h"

#ifndef GRND_INSECURE
#define GRND_INSECURE 4
#endif

/* Not a secret, and must not wait for the pool: it only tells our exchange from another's. */
static uint32_t random32(void)
{
	uint32_t v;

	if (getrandom(&v, sizeof v, GRND_INSECURE) != (ssize_t)sizeof v)
		v = (uint32_t)clock_ms();
	return v;
}

/* Of all IP packets only whole UDP datagrams to the client's port: the machine's traffic must not wake us. */
static int attach_filter(int fd)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), /* protocol */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 6),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6), /* fragment */
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 4, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), /* length of the IP header */
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),	/* port */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DHCP_PORT_CLIENT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, DHCP_PACKET_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno : 0;
}

/*
 * A packet socket, since an interface without address receives no datagrams from a server that answers to the
 * address it offers. SOCK_DGRAM: the kernel makes the Ethernet header. Protocol 0: nothing comes in before the
 * filter is there.
 */
static int open_packet(const struct net_interface *n)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHERTYPE_IP),
		.sll_ifindex = n->index,
	};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = attach_filter(fd);
	if (r == 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int dhcp_link_open(struct dhcp_link *d, const struct net_interface *n, const char *hostname)
{
	d->udp_fd = -1;
	d->packet_fd = open_packet(n);
	dhcp_client_init(&d->client, n->mac, hostname, clock_ms());
	return d->packet_fd < 0 ? d->packet_fd : 0;
}

void dhcp_link_unbind(struct dhcp_link *d)
{
	if (d->udp_fd >= 0)
		close(d->udp_fd);
	d->udp_fd = -1;
}

/* It is open as long as the address is ours: else the kernel would tell servers that nobody has the port. What
 * comes in there is read from the packet socket. */
void dhcp_link_bind(struct dhcp_link *d, const struct net_interface *n)
{
	struct sockaddr_in own = {
		.sin_family = AF_INET,
		.sin_port = htons(DHCP_PORT_CLIENT),
		.sin_addr.s_addr = htonl(d->client.lease.address),
	};
	int on = 1, little = 1;

	dhcp_link_unbind(d);
	d->udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->udp_fd < 0)
		return;
	(void)setsockopt(d->udp_fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
	if (setsockopt(d->udp_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    setsockopt(d->udp_fd, SOL_SOCKET, SO_BINDTODEVICE, n->name, sizeof n->name) < 0 ||
	    bind(d->udp_fd, (const struct sockaddr *)&own, sizeof own) < 0)
		dhcp_link_unbind(d);
}

/* A failure to send is as good as a packet lost: we try again. */
static void send_query(struct dhcp_link *d, const struct net_interface *n, const struct dhcp_query *q)
{
	static uint8_t packet[DHCP_PACKET_MAX];
	struct sockaddr_ll all = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHERTYPE_IP),
		.sll_ifindex = n->index,
		.sll_halen = ETHER_ADDR_LEN,
	};
	struct sockaddr_in one = {
		.sin_family = AF_INET,
		.sin_port = htons(DHCP_PORT_SERVER),
		.sin_addr.s_addr = htonl(q->to),
	};
	size_t len = dhcp_build(q, packet);

	if (q->to && d->udp_fd >= 0) {
		(void)sendto(d->udp_fd, packet + DHCP_UDP_AT, len - DHCP_UDP_AT, 0,
			     (const struct sockaddr *)&one, sizeof one);
		return;
	}
	memset(all.sll_addr, 0xff, ETHER_ADDR_LEN);
	(void)sendto(d->packet_fd, packet, len, 0, (const struct sockaddr *)&all, sizeof all);
}

enum dhcp_action dhcp_link_step(struct dhcp_link *d, const struct net_interface *n)
{
	static uint8_t packet[DHCP_PACKET_MAX];
	struct dhcp_query q;
	enum dhcp_action action;
	ssize_t len;

	/* One packet a step: a flood of others must not keep us from the clock. */
	len = recv(d->packet_fd, packet, sizeof packet, 0);
	if (len >= 0) {
		action = dhcp_client_packet(&d->client, clock_ms(), packet, (size_t)len);
		if (action != DHCP_NOTHING)
			return action;
	}
	action = dhcp_client_time(&d->client, clock_ms(), random32(), &q);
	if (action != DHCP_SEND)
		return action;
	send_query(d, n, &q);
	return DHCP_NOTHING;
}
