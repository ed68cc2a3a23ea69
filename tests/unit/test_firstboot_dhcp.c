/* SPDX-License-Identifier: Apache-2.0 */
/* DHCP packets of the init: what it sends, what it takes and what it throws away. */
#include "../../firstboot/dhcp.h"
#include "dhcp_answer.h"
#include "unit.h"

/* From an allocation of exactly that size. */
static int parse(const uint8_t *p, size_t len, enum dhcp_type *type, struct dhcp_lease *l)
{
	_cleanup_free_ uint8_t *exact = xmemdup(p, len ? len : 1);

	return dhcp_parse(exact, len, XID, mac, type, l);
}

#define ACK  "\x35\x01\x05" SERVER
#define MASK "\x01\x04\xff\xff\xff\0"
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

/* What a renewal looks like: our address as the source and in ciaddr, no broadcast wanted, no server named. */
static void test_build_renewal(void **state)
{
	struct dhcp_query q = {.type = DHCP_REQUEST, .xid = XID, .current = 0x0a00020f, .hostname = "web"};
	uint8_t p[DHCP_PACKET_MAX];
	size_t len;

	(void)state;
	len = dhcp_build(&q, p);
	assert_int_equal(sum(p, 20, 0), 0xffff);
	assert_int_equal(sum(p + 20, len - 20, 17 + (uint32_t)(len - 20) + sum(p + 12, 8, 0)), 0xffff);
	assert_memory_equal(p + 12, "\x0a\0\x02\x0f\xff\xff\xff\xff", 8);
	assert_memory_equal(p + 28 + 10, "\0\0\x0a\0\x02\x0f", 6);
	assert_memory_equal(p + OPTIONS, "\x35\x01\x03\x0c\x03web\x37", 9);
	/* A longer name is cut to what DNS takes for a label. */
	q.hostname = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
	dhcp_build(&q, p);
	assert_int_equal(p[OPTIONS + 4], 63);
}

static void test_times(void **state)
{
	struct dhcp_lease l;

	(void)state;
	assert_int_equal(parse_options(OPTIONS_OF(ACK MASK "\x33\x04\0\0\x0e\x10"), &l), 0);
	assert_int_equal(l.renew, 1800);
	assert_int_equal(l.rebind, 3150);
	assert_int_equal(
		parse_options(OPTIONS_OF(ACK MASK "\x33\x04\0\0\x0e\x10\x3a\x04\0\0\0\x64\x3b\x04\0\0\0\xc8"),
			      &l),
		0);
	assert_int_equal(l.renew, 100);
	assert_int_equal(l.rebind, 200);
	/* The wrong way round, beyond the lease, none at all, for ever. */
	assert_int_equal(
		parse_options(OPTIONS_OF(ACK MASK "\x33\x04\0\0\x0e\x10\x3a\x04\0\0\xff\0\x3b\x04\0\0\0\xc8"),
			      &l),
		0);
	assert_int_equal(l.renew, 1800);
	assert_int_equal(l.rebind, 3150);
	assert_int_equal(parse_options(OPTIONS_OF(ACK MASK), &l), 0);
	assert_int_equal(l.seconds, 3600);
	assert_int_equal(parse_options(OPTIONS_OF(ACK MASK "\x33\x04\0\0\0\x01"), &l), 0);
	assert_true(l.renew > 0 && l.renew < l.rebind && l.rebind < l.seconds);
	assert_int_equal(parse_options(OPTIONS_OF(ACK MASK "\x33\x04\xff\xff\xff\xff"), &l), 0);
	assert_int_equal(l.seconds, UINT32_MAX);
}

static void test_routes(void **state)
{
	struct dhcp_lease l;

	(void)state;
	/* 169.254.169.254/32 and the default: the router option does not count any more. */
	assert_int_equal(parse_options(OPTIONS_OF(ACK MASK "\x03\x04\x0a\0\x02\x09"
							   "\x79\x0e\x20\xa9\xfe\xa9\xfe\x0a\0\x02\x03"
							   "\0\x0a\0\x02\x02"),
				       &l),
			 0);
	assert_int_equal(l.router, 0x0a000202);
	assert_int_equal(l.route_count, 1);
	assert_int_equal(l.routes[0].destination, 0xa9fea9fe);
	assert_int_equal(l.routes[0].netmask, 0xffffffff);
	assert_int_equal(l.routes[0].router, 0x0a000203);
	/* A width that no mask has, or half a route: as if it had not come. */
	assert_int_equal(
		parse_options(OPTIONS_OF(ACK MASK "\x03\x04\x0a\0\x02\x09\x79\x05\x21\x0a\0\x02\x02"), &l),
		0);
	assert_int_equal(l.router, 0x0a000209);
	assert_int_equal(parse_options(OPTIONS_OF(ACK MASK "\x79\x04\x18\x0a\0\x02"), &l), 0);
	assert_int_equal(l.route_count, 0);
	/* A router that is no host. */
	assert_int_equal(parse_options(OPTIONS_OF(ACK MASK "\x79\x05\0\xe0\0\0\x01"), &l), -EBADMSG);
}

static void test_search(void **state)
{
	struct dhcp_lease l;

	(void)state;
	/* "eng.apple.com" and "marketing" + a pointer to "apple.com": the example of RFC 3397, in its two parts. */
	assert_int_equal(parse_options(OPTIONS_OF(ACK MASK "\x77\x09\x03"
							   "eng\x05"
							   "appl"
							   "\x77\x12"
							   "e\x03"
							   "com\0\x09"
							   "marketing\xc0\x04\xff"),
				       &l),
			 0);
	assert_string_equal(l.search, "eng.apple.com marketing.apple.com");
	/* A pointer to itself, forwards, beyond the end; a byte that no name has. */
	assert_int_equal(parse_options(OPTIONS_OF(ACK MASK "\x77\x02\xc0\0"), &l), 0);
	assert_string_equal(l.search, "");
	assert_int_equal(parse_options(OPTIONS_OF(ACK MASK "\x77\x05\x01"
							   "a\xc0\x04\0"),
				       &l),
			 0);
	assert_string_equal(l.search, "");
	assert_int_equal(parse_options(OPTIONS_OF(ACK MASK "\x77\x02\x09"
							   "a"),
				       &l),
			 0);
	assert_string_equal(l.search, "");
	assert_int_equal(parse_options(OPTIONS_OF(ACK MASK "\x77\x05\x03"
							   "a\nb\0"),
				       &l),
			 0);
	assert_string_equal(l.search, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),	 cmocka_unit_test(test_parse),
		cmocka_unit_test(test_options),	 cmocka_unit_test(test_overload),
		cmocka_unit_test(test_not_ours), cmocka_unit_test(test_build_renewal),
		cmocka_unit_test(test_times),	 cmocka_unit_test(test_routes),
		cmocka_unit_test(test_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
