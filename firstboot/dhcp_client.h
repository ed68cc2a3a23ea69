/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DHCPv4 client of one interface (RFC 2131, section 4.4): what to send when, and what an answer means.
 * Pure: no socket and no clock, so a test can play any network in no time. Times are milliseconds of one clock.
 *
 *   SELECTING --offer--> REQUESTING --ack--> BOUND --T1--> RENEWING --T2--> REBINDING --end of lease--> SELECTING
 *
 * Not from it: DHCPDECLINE (the address is not probed on the link), DHCPRELEASE and INIT-REBOOT: an instance has no
 * memory of an earlier boot.
 */
#ifndef FIRSTBOOT_DHCP_CLIENT_H
#define FIRSTBOOT_DHCP_CLIENT_H

#include "dhcp.h"

enum dhcp_state { DHCP_SELECTING, DHCP_REQUESTING, DHCP_BOUND, DHCP_RENEWING, DHCP_REBINDING };

/* What the caller has to do. */
enum dhcp_action {
	DHCP_NOTHING,
	DHCP_SEND,  /* the query */
	DHCP_TAKE,  /* c->lease is the interface's now, new or renewed */
	DHCP_LEAVE, /* the lease is over: away with address and routes */
};

struct dhcp_client {
	enum dhcp_state state;
	uint64_t deadline;	 /* when dhcp_client_time() is wanted; UINT64_MAX: never */
	struct dhcp_lease lease; /* BOUND and later; in REQUESTING what was offered */
	/* Its own. */
	uint8_t mac[6];
	const char *hostname;
	uint32_t xid;
	uint16_t seconds;  /* that the last DISCOVER gave */
	uint64_t began;	   /* this exchange */
	uint64_t sent;	   /* the last request: the lease counts from there */
	uint64_t wait;	   /* before the next packet; doubles */
	unsigned requests; /* for this offer */
	uint64_t renew_at;
	uint64_t rebind_at;
	uint64_t end_at;
};

/* Begins in SELECTING, with the first packet due at once. @hostname is borrowed, may be NULL. */
void dhcp_client_init(struct dhcp_client *c, const uint8_t mac[6], const char *hostname, uint64_t now);

/* The clock has reached c->deadline. @random: 32 fresh bits. With DHCP_SEND *ret is the query. */
enum dhcp_action dhcp_client_time(struct dhcp_client *c, uint64_t now, uint32_t random,
				  struct dhcp_query *ret);

/* A packet has come; anything that is not the answer that we wait for is passed over. */
enum dhcp_action dhcp_client_packet(struct dhcp_client *c, uint64_t now, const uint8_t *packet, size_t len);

/* Whether the interface has to be set up in the same way for both (times and server may differ). */
bool dhcp_lease_same(const struct dhcp_lease *a, const struct dhcp_lease *b);

#endif
