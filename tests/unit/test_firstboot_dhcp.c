/* SPDX-License-Identifier: Apache-2.0 */
/* DHCP packets of the init: what it sends, what it takes and what it throws away. */
#include "../../firstboot/dhcp.h"
#include "unit.h"

#define XID	0x12345678u
#define OPTIONS (20 + 8 + 240) /* offset in the packet */

static const uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3};

static uint16_t sum(const uint8_t *p, size_t len, uint32_t start)
{
	for (size_t i = 0; i < len; i++)
		start += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return (uint16_t)start;
}

static void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* A server's answer with these options; 10.0.2.15 is offered. Returns its length. */
static size_t answer(uint8_t p[DHCP_PACKET_MAX], const void *options, size_t len)
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

/* From an allocation of exactly that size. */
static int parse(const uint8_t *p, size_t len, enum dhcp_type *type, struct dhcp_lease *l)
{
	_cleanup_free_ uint8_t *exact = xmemdup(p, len ? len : 1);

	return dhcp_parse(exact, len, XID, mac, type, l);
}

#define SERVER "\x36\x04\x0a\0\x02\x02"
#define ACK    "\x35\x01\x05" SERVER
#define MASK   "\x01\x04\xff\xff\xff\0"
#define FULL                                              \
	ACK MASK "\x03\x04\x0a\0\x02\x02"                 \
		 "\x06\x08\x0a\0\x02\x03\x01\x01\x01\x01" \
		 "\x0f\x0b"                               \
		 "example.org"                            \
		 "\x1a\x02\x05\xb4"                       \
		 "\x33\x04\0\0\x0e\x10"                   \
		 "\0\0\xff"

static void test_build(void **state)
{
	struct dhcp_query q = {.type = DHCP_DISCOVER, .xid = XID, .seconds = 3};
	uint8_t p[DHCP_PACKET_MAX];
	size_t len;

	(void)state;
	memcpy(q.mac, mac, sizeof(mac));
	len = dhcp_build(&q, p);
	assert_int_equal(len, 20 + 8 + 300);
	assert_int_equal(sum(p, 20, 0), 0xffff);
	assert_int_equal(sum(p + 20, len - 20, 17 + (uint32_t)(len - 20) + sum(p + 12, 8, 0)), 0xffff);
	assert_memory_equal(p + 16, "\xff\xff\xff\xff", 4);
	assert_memory_equal(p + 20, "\0\x44\0\x43", 4);
	assert_memory_equal(p + 28, "\x01\x01\x06\0\x12\x34\x56\x78\0\x03\x80\0", 12);
	assert_memory_equal(p + 28 + 28, mac, 6);
	assert_memory_equal(p + OPTIONS - 4, "\x63\x82\x53\x63\x35\x01\x01", 7);

	q.type = DHCP_REQUEST;
	q.address = 0x0a00020f;
	q.server = 0x0a000202;
	dhcp_build(&q, p);
	assert_memory_equal(p + OPTIONS, "\x35\x01\x03\x32\x04\x0a\0\x02\x0f" SERVER, 15);
}

static void test_parse(void **state)
{
	uint8_t p[DHCP_PACKET_MAX];
	size_t len = answer(p, FULL, sizeof(FULL) - 1);
	enum dhcp_type type;
	struct dhcp_lease l;

	(void)state;
	assert_int_equal(parse(p, len, &type, &l), 0);
	assert_int_equal(type, DHCP_ACK);
	assert_int_equal(l.address, 0x0a00020f);
	assert_int_equal(l.netmask, 0xffffff00);
	assert_int_equal(l.router, 0x0a000202);
	assert_int_equal(l.server, 0x0a000202);
	assert_int_equal(l.dns[0], 0x0a000203);
	assert_int_equal(l.dns[1], 0x01010101);
	assert_int_equal(l.dns[2], 0);
	assert_int_equal(l.seconds, 3600);
	assert_int_equal(l.mtu, 1460);
	assert_string_equal(l.domain, "example.org");
	/* Padding of the link behind the packet is not looked at. */
	assert_int_equal(parse(p, len + 40, &type, &l), 0);
	/* Every shorter piece is not a packet. */
	for (size_t n = 0; n < len; n++)
		assert_true(parse(p, n, &type, &l) < 0);
}

static int parse_options(const char *options, size_t len, struct dhcp_lease *l)
{
	uint8_t p[DHCP_PACKET_MAX];
	enum dhcp_type type;

	return parse(p, answer(p, options, len), &type, l);
}

#define OPTIONS_OF(text) (text), sizeof(text) - 1

static void test_options(void **state)
{
	struct dhcp_lease l;

	(void)state;
	/* No mask: class A. */
	assert_int_equal(parse_options(OPTIONS_OF(ACK "\xff"), &l), 0);
	assert_int_equal(l.netmask, 0xff000000);
	/* No end option. */
	assert_int_equal(parse_options(OPTIONS_OF(ACK MASK), &l), 0);
	assert_int_equal(l.netmask, 0xffffff00);
	/* A /32, as some clouds have it. */
	assert_int_equal(parse_options(OPTIONS_OF(ACK "\x01\x04\xff\xff\xff\xff"), &l), 0);
	/* What could break resolv.conf or the link is left out. */
	assert_int_equal(parse_options(OPTIONS_OF(ACK "\x0f\x05"
						      "a\nb c"
						      "\x1a\x02\0\x20"),
				       &l),
			 0);
	assert_string_equal(l.domain, "");
	assert_int_equal(l.mtu, 0);

	assert_int_equal(parse_options(OPTIONS_OF(ACK "\x03\x08\x0a\0\x02"), &l), -EBADMSG);
	assert_int_equal(parse_options(OPTIONS_OF(ACK "\x03"), &l), -EBADMSG);
	assert_int_equal(parse_options(OPTIONS_OF(ACK "\x01\x04\xff\0\xff\0"), &l), -EBADMSG);
	assert_int_equal(parse_options(OPTIONS_OF(ACK "\x03\x04\x7f\0\0\x01"), &l), -EBADMSG);
	assert_int_equal(parse_options(OPTIONS_OF("\x35\x01\x05"), &l), -EBADMSG); /* of no server */
	assert_int_equal(parse_options(OPTIONS_OF(SERVER), &l), -ENOMSG);	   /* BOOTP */
	assert_int_equal(parse_options(OPTIONS_OF("\x35\x01\x03" SERVER), &l), -ENOMSG);
	assert_int_equal(parse_options(OPTIONS_OF("\x35\x01\x06"), &l), 0); /* NAK has no lease */
}

/* Options that go on in the fields of the boot file and the server's name. */
static void test_overload(void **state)
{
	uint8_t p[DHCP_PACKET_MAX];
	size_t len = answer(p, OPTIONS_OF(ACK "\x34\x01\x03\xff"));
	enum dhcp_type type;
	struct dhcp_lease l;

	(void)state;
	memcpy(p + 28 + 108, MASK "\xff", 7);
	memcpy(p + 28 + 44, "\x03\x04\x0a\0\x02\x02\xff", 7);
	assert_int_equal(parse(p, len, &type, &l), 0);
	assert_int_equal(l.netmask, 0xffffff00);
	assert_int_equal(l.router, 0x0a000202);
	p[28 + 44 + 1] = 200; /* beyond the field */
	assert_int_equal(parse(p, len, &type, &l), -EBADMSG);
}

/* One byte changed in a good answer. */
static void test_not_ours(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		int result;
	} cases[] = {
		{0, 0x65, -ENOMSG},	  /* IPv6 */
		{0, 0x44, -EBADMSG},	  /* header too short */
		{0, 0x4f, -ENOMSG},	  /* header over the ports */
		{3, 20, -EBADMSG},	  /* total too long */
		{6, 0x20, -ENOMSG},	  /* a fragment */
		{8, 63, -EBADMSG},	  /* checksum */
		{9, 6, -ENOMSG},	  /* TCP */
		{23, 69, -ENOMSG},	  /* another port */
		{24, 0xff, -EBADMSG},	  /* datagram longer than the packet */
		{28, 1, -ENOMSG},	  /* a request */
		{28 + 2, 16, -ENOMSG},	  /* not Ethernet */
		{28 + 7, 0, -ENOMSG},	  /* another exchange */
		{28 + 33, 0, -ENOMSG},	  /* another machine */
		{28 + 239, 0, -ENOMSG},	  /* no cookie */
		{28 + 16, 127, -EBADMSG}, /* loopback */
		{28 + 16, 224, -EBADMSG}, /* multicast */
		{28 + 16, 0, -EBADMSG},
	};
	enum dhcp_type type;
	struct dhcp_lease l;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t p[DHCP_PACKET_MAX];
		size_t len = answer(p, OPTIONS_OF(FULL));

		p[cases[i].at] = cases[i].value;
		assert_int_equal(parse(p, len, &type, &l), cases[i].result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),	 cmocka_unit_test(test_parse),
		cmocka_unit_test(test_options),	 cmocka_unit_test(test_overload),
		cmocka_unit_test(test_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
