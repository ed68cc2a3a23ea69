/* SPDX-License-Identifier: Apache-2.0 */
/* What the init makes of routers' advertisements, of Address= and of names for the resolver. */
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "../../firstboot/lease.h"
#include "../../firstboot/rdnss.h"
#include "../../firstboot/resolv.h"
#include "unit.h"

/* A message of the kernel with these options. */
static size_t message(uint8_t out[512], const void *options, size_t len)
{
	struct nduseroptmsg m = {.nduseropt_family = AF_INET6,
				 .nduseropt_opts_len = (uint16_t)len,
				 .nduseropt_ifindex = 2,
				 .nduseropt_icmp_type = 134};
	struct nlmsghdr h = {.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof(m)) + len),
			     .nlmsg_type = RTM_NEWNDUSEROPT};

	memcpy(out, &h, sizeof(h));
	memcpy(out + NLMSG_HDRLEN, &m, sizeof(m));
	memcpy(out + NLMSG_LENGTH(sizeof(m)), options, len);
	return h.nlmsg_len;
}

static bool take(struct rdnss *r, const void *options, size_t len, uint64_t now)
{
	uint8_t text[512];
	size_t n = message(text, options, len);
	_cleanup_free_ uint8_t *exact = xmemdup(text, n);

	return rdnss_take(r, exact, n, now);
}

#define A16	 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define B16	 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
#define OF(text) (text), sizeof(text) - 1

static void test_rdnss(void **state)
{
	struct rdnss r = {.count = 0};

	(void)state;
	assert_true(take(&r, OF("\x19\x05\0\0\0\0\0\x0a" A16 B16), 1000));
	assert_int_equal(r.count, 2);
	assert_int_equal(rdnss_deadline(&r), 11000);
	/* Again: only the time changes. One is taken back. */
	assert_false(take(&r, OF("\x19\x05\0\0\0\0\0\x14" A16 B16), 2000));
	assert_int_equal(rdnss_deadline(&r), 22000);
	assert_true(take(&r, OF("\x19\x03\0\0\0\0\0\0" A16), 3000));
	assert_int_equal(r.count, 1);
	assert_false(rdnss_expire(&r, 21999));
	assert_true(rdnss_expire(&r, 22000));
	assert_int_equal(r.count, 0);
	assert_int_equal(rdnss_deadline(&r), UINT64_MAX);
	/* For ever. */
	assert_true(take(&r, OF("\x19\x03\0\0\xff\xff\xff\xff" A16), 1000));
	assert_int_equal(rdnss_deadline(&r), UINT64_MAX);
}

static void test_rdnss_bad(void **state)
{
	struct rdnss r = {.count = 0};
	uint8_t text[512];
	size_t n = message(text, OF("\x19\x03\0\0\0\0\0\x0a" A16));

	(void)state;
	/* Length 0, longer than there is, half an address, nobody, multicast. */
	assert_false(take(&r, OF("\x19\0\0\0\0\0\0\x0a" A16), 1));
	assert_false(take(&r, OF("\x19\x04\0\0\0\0\0\x0a" A16), 1));
	assert_false(take(&r, OF("\x19\x02\0\0\0\0\0\x0a\x20\x01\x0d\xb8\0\0\0\0"), 1));
	assert_false(take(&r, OF("\x19\x03\0\0\0\0\0\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), 1));
	assert_false(take(&r, OF("\x19\x03\0\0\0\0\0\x0a\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"), 1));
	assert_int_equal(r.count, 0);
	for (size_t cut = 0; cut < n; cut++) {
		_cleanup_free_ uint8_t *exact = xmemdup(text, cut ? cut : 1);

		assert_false(rdnss_take(&r, exact, cut, 1));
	}
	/* More than there is room for. */
	for (uint8_t i = 0; i < 10; i++) {
		uint8_t option[] = "\x19\x03\0\0\0\0\0\x0a" A16;

		option[23] = i;
		(void)take(&r, option, 24, 1);
	}
	assert_int_equal(r.count, RDNSS_MAX);
}

static void test_dnssl(void **state)
{
	struct rdnss r = {.count = 0};

	(void)state;
	assert_true(take(&r,
			 OF("\x1f\x03\0\0\0\0\0\x0a\x01"
			    "a\x07"
			    "example\0\0\0\0\0\0"),
			 1));
	assert_string_equal(r.search, "a.example");
	assert_false(take(&r,
			  OF("\x1f\x03\0\0\0\0\0\x0a\x01"
			     "a\x07"
			     "example\0\0\0\0\0\0"),
			  1));
	assert_true(take(&r, OF("\x1f\x01\0\0\0\0\0\0"), 1));
	assert_string_equal(r.search, "");
}

static void test_address(void **state)
{
	static const char *const bad[] = {
		"",	     "10.0.0.1/",    "10.0.0.1/0",  "10.0.0.1/33", "10.0.0/24",
		" 10.0.0.1", "10.0.0.1/24x", "::1/129",	    "eth0",	   "eth0 ",
		"1.2.3.4 5", "eth0 eth1 ::", "10.0.0.1/ 8", NULL};
	struct netlink_address a;
	const char *name;
	size_t len;

	(void)state;
	assert_true(lease_parse_address("10.0.0.1/8", &name, &len, &a));
	assert_null(name);
	assert_int_equal(a.family, AF_INET);
	assert_int_equal(a.prefix, 8);
	assert_memory_equal(a.bytes, "\x0a\0\0\x01", 4);
	assert_true(lease_parse_address("eth1 2001:db8::1", &name, &len, &a));
	assert_int_equal(len, 4);
	assert_memory_equal(name, "eth1", 4);
	assert_int_equal(a.family, AF_INET6);
	assert_int_equal(a.prefix, 128);
	for (size_t i = 0; bad[i]; i++)
		assert_false(lease_parse_address(bad[i], &name, &len, &a));
}

static void test_resolv(void **state)
{
	static struct resolv r;

	(void)state;
	resolv_server(&r, "10.0.0.1");
	resolv_server(&r, "10.0.0.1");
	resolv_server(&r, "10.0.0.11");
	resolv_server(&r, "::1");
	resolv_server(&r, "::2"); /* the fourth: no resolver would ask it */
	assert_string_equal(r.servers.text, "nameserver 10.0.0.1\nnameserver 10.0.0.11\nnameserver ::1\n");
	resolv_search(&r, "a.example b.example");
	resolv_search(&r, "  b.example example a.example ");
	assert_string_equal(r.search.text, " a.example b.example example");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rdnss),  cmocka_unit_test(test_rdnss_bad),
		cmocka_unit_test(test_dnssl),  cmocka_unit_test(test_address),
		cmocka_unit_test(test_resolv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
