/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DHCPv4 packets with their IP and UDP headers (RFC 2131). Pure; packets come from anybody on the link and
 * are not trusted. Options: dhcp_options.h; what is sent when: dhcp_client.h.
 */
#ifndef FIRSTBOOT_DHCP_H
#define FIRSTBOOT_DHCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP_PACKET_MAX	  1500
#define DHCP_DNS_MAX	  3
#define DHCP_ROUTES_MAX	  8
#define DHCP_HOSTNAME_MAX 63
#define DHCP_UDP_AT	  28 /* in a packet: where the message begins */
#define DHCP_PORT_SERVER  67
#define DHCP_PORT_CLIENT  68

enum dhcp_type { DHCP_DISCOVER = 1, DHCP_OFFER = 2, DHCP_REQUEST = 3, DHCP_ACK = 5, DHCP_NAK = 6 };

struct dhcp_route {
	uint32_t destination;
	uint32_t netmask; /* never 0: the default route is dhcp_lease.router */
	uint32_t router;  /* 0: on the link */
};

/* Addresses in host order; 0: not given. Unused elements of the arrays are 0. */
struct dhcp_lease {
	uint32_t address;
	uint32_t netmask; /* contiguous */
	uint32_t router;
	uint32_t server; /* identifier */
	uint32_t dns[DHCP_DNS_MAX];
	struct dhcp_route routes[DHCP_ROUTES_MAX];
	size_t route_count;
	uint32_t seconds; /* of the lease; UINT32_MAX: for ever */
	uint32_t renew;	  /* T1 and T2, seconds: 0 < renew < rebind < seconds */
	uint32_t rebind;
	uint16_t mtu;	  /* 0 or 576 and more */
	char domain[256]; /* "" or letters, digits, '-' and '.' */
	char search[256]; /* domains with blanks between them, or "" */
};

struct dhcp_query {
	enum dhcp_type type; /* DHCP_DISCOVER or DHCP_REQUEST */
	uint32_t xid;
	uint16_t seconds; /* since we began */
	uint8_t mac[6];
	uint32_t address; /* DHCP_REQUEST: the one that was offered; 0: not said */
	uint32_t server;  /* who offered it; 0: not said */
	uint32_t current; /* the one that we have and want to keep; 0: none yet, answers come by broadcast */
	uint32_t to;	  /* 0: everybody on the link; else this server, over the interface's own address */
	const char *hostname; /* at most DHCP_HOSTNAME_MAX bytes of it; NULL: not told */
};

/* The IP packet, to the broadcast address. Returns its length; the UDP payload begins at DHCP_UDP_AT. */
size_t dhcp_build(const struct dhcp_query *q, uint8_t out[DHCP_PACKET_MAX]);

/*
 * An IP packet that may be the answer to @xid for @mac. 0: *ret_type is DHCP_OFFER, DHCP_ACK (then *ret is a
 * usable lease) or DHCP_NAK (then ret->server is who says so, 0: nobody); -ENOMSG: something else; -EBADMSG:
 * damaged, or an address that nobody can have.
 */
int dhcp_parse(const uint8_t *packet, size_t len, uint32_t xid, const uint8_t mac[6],
	       enum dhcp_type *ret_type, struct dhcp_lease *ret);

#endif
