/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "dhcp.h"
#include "dhcp_options.h"

/* Offsets: of UDP and BOOTP behind an IP header without options. */
#define IP_LEN	     20
#define UDP_LEN	     8
#define BOOTP_LEN    236 /* up to the cookie */
#define BOOTP_COOKIE 0x63825363u
#define BOOTP_XID    4
#define BOOTP_SECS   8
#define BOOTP_FLAGS  10
#define BOOTP_CIADDR 12
#define BOOTP_YIADDR 16
#define BOOTP_CHADDR 28
#define BOOTP_SNAME  44	 /* 64 bytes */
#define BOOTP_FILE   108 /* 128 bytes */
#define PROTOCOL_UDP 17

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

/* One's complement sum of RFC 1071, not yet complemented; @len is even or the last byte counts as the high
 * one. */
static uint32_t checksum_add(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static uint16_t checksum_end(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint8_t *put_option(uint8_t *p, enum dhcp_option option, const void *value, uint8_t len)
{
	*p++ = (uint8_t)option;
	*p++ = len;
	memcpy(p, value, len);
	return p + len;
}

static uint8_t *put_option32(uint8_t *p, enum dhcp_option option, uint32_t value)
{
	uint8_t bytes[4];

	put32(bytes, value);
	return put_option(p, option, bytes, sizeof bytes);
}

/* The message of BOOTP; returns its length, 300 bytes at least as old relays want it. */
static size_t build_message(const struct dhcp_query *q, uint8_t *out)
{
	/* The routes before the router: RFC 3442 wants it so. */
	static const uint8_t wanted[] = {OPTION_NETMASK, OPTION_ROUTES, OPTION_ROUTER, OPTION_DNS,
					 OPTION_DOMAIN,	 OPTION_SEARCH, OPTION_MTU,    OPTION_LEASE,
					 OPTION_RENEW,	 OPTION_REBIND};
	uint8_t type = (uint8_t)q->type;
	uint8_t *p;
	size_t len;

	out[0] = 1; /* request */
	out[1] = 1; /* Ethernet */
	out[2] = sizeof q->mac;
	put32(out + BOOTP_XID, q->xid);
	put16(out + BOOTP_SECS, q->seconds);
	if (!q->current)
		put16(out + BOOTP_FLAGS, 0x8000); /* answer by broadcast: we have no address yet */
	put32(out + BOOTP_CIADDR, q->current);
	memcpy(out + BOOTP_CHADDR, q->mac, sizeof q->mac);
	put32(out + BOOTP_LEN, BOOTP_COOKIE);
	p = put_option(out + BOOTP_LEN + 4, OPTION_TYPE, &type, 1);
	if (q->address)
		p = put_option32(p, OPTION_REQUESTED, q->address);
	if (q->server)
		p = put_option32(p, OPTION_SERVER, q->server);
	if (q->hostname && *q->hostname)
		p = put_option(p, OPTION_HOSTNAME, q->hostname,
			       (uint8_t)strnlen(q->hostname, DHCP_HOSTNAME_MAX));
	p = put_option(p, OPTION_WANTED, wanted, sizeof wanted);
	*p++ = OPTION_END;
	len = (size_t)(p - out);
	return len < 300 ? 300 : len;
}

size_t dhcp_build(const struct dhcp_query *q, uint8_t out[DHCP_PACKET_MAX])
{
	uint8_t *udp = out + IP_LEN;
	size_t udp_len;
	uint16_t sum;

	memset(out, 0, DHCP_PACKET_MAX);
	udp_len = UDP_LEN + build_message(q, udp + UDP_LEN);

	out[0] = 0x45; /* IPv4, header of five words */
	put16(out + 2, (uint16_t)(IP_LEN + udp_len));
	out[8] = 64; /* time to live */
	out[9] = PROTOCOL_UDP;
	put32(out + 12, q->current);
	put32(out + 16, UINT32_MAX); /* to everybody */
	put16(out + 10, checksum_end(checksum_add(0, out, IP_LEN)));

	put16(udp, DHCP_PORT_CLIENT);
	put16(udp + 2, DHCP_PORT_SERVER);
	put16(udp + 4, (uint16_t)udp_len);
	/* Over addresses, protocol and length (the pseudo header) and the datagram. 0 would mean "none". */
	sum = checksum_end(
		checksum_add(checksum_add(PROTOCOL_UDP + (uint32_t)udp_len, out + 12, 8), udp, udp_len));
	put16(udp + 6, sum ? sum : 0xffff);
	return IP_LEN + udp_len;
}

/*
 * The BOOTP message in an IP packet to the client's port. The UDP checksum is not looked at: with a virtual
 * interface it may be left to hardware that does not exist.
 */
static int find_message(const uint8_t *packet, size_t len, const uint8_t **ret, size_t *ret_len)
{
	size_t header, total, udp_len;

	if (len < IP_LEN || packet[0] >> 4 != 4 || packet[9] != PROTOCOL_UDP)
		return -ENOMSG;
	header = (size_t)(packet[0] & 15) * 4;
	total = dhcp_get16(packet + 2);
	if (header < IP_LEN || total > len || total < header + UDP_LEN)
		return -EBADMSG;
	/* Fragments: none of a size that we ask for. */
	if ((dhcp_get16(packet + 6) & 0x3fff) || dhcp_get16(packet + header + 2) != DHCP_PORT_CLIENT)
		return -ENOMSG;
	if (checksum_end(checksum_add(0, packet, header)) != 0)
		return -EBADMSG;
	udp_len = dhcp_get16(packet + header + 4);
	if (udp_len < UDP_LEN || udp_len > total - header)
		return -EBADMSG;
	*ret = packet + header + UDP_LEN;
	*ret_len = udp_len - UDP_LEN;
	return 0;
}

int dhcp_parse(const uint8_t *packet, size_t len, uint32_t xid, const uint8_t mac[6],
	       enum dhcp_type *ret_type, struct dhcp_lease *ret)
{
	struct dhcp_found f = {.type = 0};
	const uint8_t *m = NULL;
	size_t m_len = 0;
	int r = find_message(packet, len, &m, &m_len);

	if (r < 0)
		return r;
	if (m_len < BOOTP_LEN + 4 || m[0] != 2 || m[1] != 1 || m[2] != 6 ||
	    dhcp_get32(m + BOOTP_XID) != xid || memcmp(m + BOOTP_CHADDR, mac, 6) != 0 ||
	    dhcp_get32(m + BOOTP_LEN) != BOOTP_COOKIE)
		return -ENOMSG;
	r = dhcp_take_options(m + BOOTP_LEN + 4, m_len - BOOTP_LEN - 4, &f);
	if (r == 0 && f.overload & 1)
		r = dhcp_take_options(m + BOOTP_FILE, 128, &f);
	if (r == 0 && f.overload & 2)
		r = dhcp_take_options(m + BOOTP_SNAME, 64, &f);
	if (r < 0)
		return r;
	if (f.type != DHCP_OFFER && f.type != DHCP_ACK && f.type != DHCP_NAK)
		return -ENOMSG;
	f.lease.address = dhcp_get32(m + BOOTP_YIADDR);
	if (f.type != DHCP_NAK && (r = dhcp_complete(&f)) < 0)
		return r;
	*ret_type = (enum dhcp_type)f.type;
	*ret = f.lease;
	return 0;
}
