/* SPDX-License-Identifier: Apache-2.0 */
/* The packets of a DHCP server, made by hand. */
#ifndef TESTS_UNIT_DHCP_ANSWER_H
#define TESTS_UNIT_DHCP_ANSWER_H

#include <stdint.h>
#include <string.h>

#include "../../firstboot/dhcp.h"

#define XID	0x12345678u
#define OPTIONS (20 + 8 + 240) /* offset in the packet */
#define SERVER	"\x36\x04\x0a\0\x02\x02"

static const uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3};

static inline uint16_t sum(const uint8_t *p, size_t len, uint32_t start)
{
	for (size_t i = 0; i < len; i++)
		start += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return (uint16_t)start;
}

static inline void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* A server's answer with these options; 10.0.2.15 is offered. Returns its length. */
static inline size_t answer(uint8_t p[DHCP_PACKET_MAX], const void *options, size_t len)
{
	size_t total = OPTIONS + len;

	memset(p, 0, DHCP_PACKET_MAX);
	p[0] = 0x45;
	put16(p + 2, total);
	p[8] = 64;
	p[9] = 17;
	memcpy(p + 12, "\x0a\0\x02\x02\x0a\0\x02\x0f", 8);
	put16(p + 10, (uint16_t)~sum(p, 20, 0));
	put16(p + 20, 67);
	put16(p + 22, 68);
	put16(p + 24, total - 20);
	memcpy(p + 28, "\x02\x01\x06\0\x12\x34\x56\x78", 8);
	memcpy(p + 28 + 16, "\x0a\0\x02\x0f", 4);
	memcpy(p + 28 + 28, mac, 6);
	memcpy(p + 28 + 236, "\x63\x82\x53\x63", 4);
	memcpy(p + OPTIONS, options, len);
	return total;
}

#endif
