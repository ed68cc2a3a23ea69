/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DHCPv4 packets with their IP and UDP headers (RFC 2131, 2132; RFC 3396 long options are not needed by what
 * we ask for). Pure; packets come from anybody on the link and are not trusted.
 */
#ifndef FIRSTBOOT_DHCP_H
#define FIRSTBOOT_DHCP_H

#include <stddef.h>
#include <stdint.h>

#define DHCP_PACKET_MAX 1500
#define DHCP_DNS_MAX	3

enum dhcp_type { DHCP_DISCOVER = 1, DHCP_OFFER = 2, DHCP_REQUEST = 3, DHCP_ACK = 5, DHCP_NAK = 6 };

/* Addresses in host order; 0: not given. */
struct dhcp_lease {
	uint32_t address;
	uint32_t netmask; /* contiguous */
	uint32_t router;
	uint32_t server; /* identifier */
	uint32_t dns[DHCP_DNS_MAX];
	uint32_t seconds; /* of the lease; UINT32_MAX: for ever */
	uint16_t mtu;	  /* 0 or 576 and more */
	char domain[256]; /* "" or letters, digits, '-' and '.' */
};

struct dhcp_query {
	enum dhcp_type type; /* DHCP_DISCOVER, or DHCP_REQUEST of @address from @server */
	uint32_t xid;
	uint16_t seconds; /* since we began */
	uint8_t mac[6];
	uint32_t address;
	uint32_t server;
};

/* The IP packet, to the broadcast address. Returns its length. */
size_t dhcp_build(const struct dhcp_query *q, uint8_t out[DHCP_PACKET_MAX]);

/*
 * An IP packet that may be the answer to @xid for @mac. 0: *ret_type is DHCP_OFFER, DHCP_ACK (then *ret is a
 * usable lease) or DHCP_NAK; -ENOMSG: something else; -EBADMSG: damaged, or an address that nobody can have.
 */
int dhcp_parse(const uint8_t *packet, size_t len, uint32_t xid, const uint8_t mac[6],
	       enum dhcp_type *ret_type, struct dhcp_lease *ret);

#endif
