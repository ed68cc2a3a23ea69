/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a DHCP answer (RFC 2132, 3397, 3442). Pure; the bytes are not trusted. */
#ifndef FIRSTBOOT_DHCP_OPTIONS_H
#define FIRSTBOOT_DHCP_OPTIONS_H

#include "dhcp.h"

enum dhcp_option {
	OPTION_PAD = 0,
	OPTION_NETMASK = 1,
	OPTION_ROUTER = 3,
	OPTION_DNS = 6,
	OPTION_HOSTNAME = 12,
	OPTION_DOMAIN = 15,
	OPTION_MTU = 26,
	OPTION_REQUESTED = 50,
	OPTION_LEASE = 51,
	OPTION_OVERLOAD = 52,
	OPTION_TYPE = 53,
	OPTION_SERVER = 54,
	OPTION_WANTED = 55,
	OPTION_RENEW = 58,
	OPTION_REBIND = 59,
	OPTION_SEARCH = 119,
	OPTION_ROUTES = 121,
	OPTION_END = 255,
};

#define DHCP_SEARCH_BYTES 512 /* of option 119, all its parts together */

struct dhcp_found {
	struct dhcp_lease lease;
	uint8_t type;
	uint8_t overload;
	bool has_routes; /* option 121 came: the router option does not count (RFC 3442) */
	uint8_t search[DHCP_SEARCH_BYTES];
	size_t search_len;
};

/* Big-endian numbers of a packet. */
uint16_t dhcp_get16(const uint8_t *p);
uint32_t dhcp_get32(const uint8_t *p);

/*
 * DNS names one after the other, in the compression of RFC 1035 with offsets in @p: to @out with blanks
 * between them. From a damaged one, an empty one or one that finds no room on the rest is left out; *out is
 * unchanged when that is the first. Used for router advertisements too (RFC 8106).
 */
void dhcp_search_list(const uint8_t *p, size_t len, char *out, size_t size);

/* All options in @p; an option whose length does not fit what it says counts as not sent. -EBADMSG: cut off. */
int dhcp_take_options(const uint8_t *p, size_t len, struct dhcp_found *f);

/* When all are taken: makes the lease complete. -EBADMSG: an address in it that nobody can have. */
int dhcp_complete(struct dhcp_found *f);

#endif
