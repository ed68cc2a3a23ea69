/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dhcp.h"
#include "end.h"
#include "file.h"
#include "image/abi.h"
#include "line.h"
#include "net.h"
#include "network.h"

#ifndef GRND_INSECURE
#define GRND_INSECURE 4
#endif

#define RESOLV_CONF    "/run/resolv.conf"
#define INTERFACE_MS   100 /* between two looks */
#define RETRY_FIRST_MS 500 /* between two packets; doubles */
#define RETRY_LAST_MS  8000
#define REQUESTS_MAX   4 /* for one offer */

/* Not a secret, and must not wait for the pool: it only tells our exchange from another's. */
static uint32_t random32(void)
{
	uint32_t v;

	if (getrandom(&v, sizeof v, GRND_INSECURE) != (ssize_t)sizeof v)
		v = (uint32_t)clock_ms();
	return v;
}

/*
 * A packet socket, since an interface without address receives no datagrams from a server that answers to the
 * address it offers. SOCK_DGRAM: the kernel makes the Ethernet header.
 */
static int packet_socket(const struct net_interface *n)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHERTYPE_IP),
		.sll_ifindex = n->index,
	};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETHERTYPE_IP));

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

/* One packet to everybody. A failure to send is as good as a packet lost: we try again. */
static void send_query(int fd, const struct net_interface *n, const struct dhcp_query *q)
{
	static uint8_t packet[DHCP_PACKET_MAX];
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHERTYPE_IP),
		.sll_ifindex = n->index,
		.sll_halen = ETHER_ADDR_LEN,
	};
	size_t len = dhcp_build(q, packet);

	memset(to.sll_addr, 0xff, ETHER_ADDR_LEN);
	(void)sendto(fd, packet, len, 0, (const struct sockaddr *)&to, sizeof to);
}

/* The next answer that is for us. False: none until @deadline, or the machine shall stop. */
static bool receive_answer(struct events *e, int fd, const struct dhcp_query *q, uint64_t deadline,
			   enum dhcp_type *ret_type, struct dhcp_lease *ret)
{
	static uint8_t packet[DHCP_PACKET_MAX];

	while (!e->stop && clock_ms() < deadline) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		events_wait(e, &p, 1, deadline);
		/* One packet a round: a flood of others must not keep us from the deadline. */
		n = recv(fd, packet, sizeof packet, 0);
		if (n >= 0 && dhcp_parse(packet, (size_t)n, q->xid, q->mac, ret_type, ret) == 0)
			return true;
	}
	return false;
}

/* Sends @q and waits for @wanted, again and again with growing patience, at most @tries times. */
static bool exchange(struct events *e, int fd, const struct net_interface *n, struct dhcp_query *q,
		     enum dhcp_type wanted, unsigned tries, uint64_t deadline, struct dhcp_lease *ret)
{
	uint64_t wait = RETRY_FIRST_MS;
	uint64_t began = clock_ms();
	enum dhcp_type type;

	while (tries-- && !e->stop && clock_ms() < deadline) {
		uint64_t until = clock_ms() + wait + random32() % 100;

		q->seconds = (uint16_t)((clock_ms() - began) / 1000);
		send_query(fd, n, q);
		while (receive_answer(e, fd, q, until < deadline ? until : deadline, &type, ret)) {
			if (type == wanted)
				return true;
			if (type == DHCP_NAK)
				return false;
		}
		if (wait < RETRY_LAST_MS)
			wait *= 2;
	}
	return false;
}

static bool acquire(struct events *e, int fd, const struct net_interface *n, uint64_t deadline,
		    struct dhcp_lease *ret)
{
	while (!e->stop && clock_ms() < deadline) {
		struct dhcp_query q = {.type = DHCP_DISCOVER, .xid = random32()};

		memcpy(q.mac, n->mac, sizeof q.mac);
		if (!exchange(e, fd, n, &q, DHCP_OFFER, 100, deadline, ret))
			continue;
		q.type = DHCP_REQUEST;
		q.address = ret->address;
		q.server = ret->server;
		if (exchange(e, fd, n, &q, DHCP_ACK, REQUESTS_MAX, deadline, ret))
			return true;
	}
	return false;
}

static void print_address(struct line *l, uint32_t a)
{
	line_printf(l, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

/* The file, and it over the root's /etc/resolv.conf. A root without that file has no resolver that would read
 * it. */
static int write_resolv_conf(const struct dhcp_lease *l)
{
	struct line text = {.len = 0};
	struct stat st;
	int fd, r;

	for (size_t i = 0; i < DHCP_DNS_MAX && l->dns[i]; i++) {
		line_printf(&text, "nameserver ");
		print_address(&text, l->dns[i]);
		line_printf(&text, "\n");
	}
	if (l->domain[0])
		line_printf(&text, "search %s\n", l->domain);
	fd = open(RESOLV_CONF, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = file_write(fd, text.text, text.len);
	close(fd);
	if (r < 0 || lstat("/etc/resolv.conf", &st) < 0 || !S_ISREG(st.st_mode))
		return r;
	return mount(RESOLV_CONF, "/etc/resolv.conf", NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

/* A driver may need a moment between its module and its interface. */
static int wait_interface(struct events *e, uint64_t deadline, struct net_interface *ret)
{
	int r;

	while ((r = net_find(ret)) == -ENODEV && !e->stop && clock_ms() < deadline)
		events_wait(e, NULL, 0, clock_ms() + INTERFACE_MS);
	return r;
}

void network_start(struct events *e)
{
	uint64_t deadline = clock_ms() + NETWORK_PATIENCE_MS;
	struct net_interface n;
	struct dhcp_lease lease;
	int fd, r;

	r = wait_interface(e, deadline, &n);
	if (e->stop)
		return;
	if (r < 0)
		fail(ABI_FAILED_NETWORK, "no Ethernet interface (is its driver among the modules?): %s",
		     strerror(-r));
	r = net_up(&n);
	if (r < 0)
		fail(ABI_FAILED_NETWORK, "%s does not come up: %s", n.name, strerror(-r));
	fd = packet_socket(&n);
	if (fd < 0)
		fail(ABI_FAILED_NETWORK, "no packet socket on %s: %s", n.name, strerror(-fd));
	if (!acquire(e, fd, &n, deadline, &lease)) {
		if (e->stop)
			return;
		fail(ABI_FAILED_NETWORK, "no DHCP server gave %s an address within %u s", n.name,
		     NETWORK_PATIENCE_MS / 1000);
	}
	close(fd);
	r = net_configure(&n, &lease);
	if (r < 0)
		fail(ABI_FAILED_NETWORK, "%s does not take its address: %s", n.name, strerror(-r));
	r = write_resolv_conf(&lease);
	if (r < 0)
		fail(ABI_FAILED_NETWORK, "%s: %s", RESOLV_CONF, strerror(-r));
}
