/* SPDX-License-Identifier: Apache-2.0 */
/* The DHCP client of the init on networks that lose, repeat and lie. Time is a number here. */
#include "../../firstboot/dhcp_client.h"
#include "dhcp_answer.h"
#include "unit.h"

#define OURS  0x0a00020fu
#define OTHER 0x0a000210u
#define A     0x0a000202u /* servers */
#define B     0x0a000203u

static struct dhcp_client c;
static struct dhcp_query q;
static uint64_t now;

static enum dhcp_action tick(uint64_t at)
{
	now = at;
	return dhcp_client_time(&c, now, 0x55aa00u + (uint32_t)at, &q);
}

/* An answer to what was asked last: a lease of a hundred seconds. */
static enum dhcp_action hear_xid(uint8_t type, uint32_t server, uint32_t address, uint32_t xid)
{
	uint8_t options[] = {53, 1, type, 54,  4, 0, 0,	  0,   0,   51, 4,
			     0,	 0, 0,	  100, 1, 4, 255, 255, 255, 0,	255};
	uint8_t p[DHCP_PACKET_MAX];
	size_t len;

	for (int i = 0; i < 4; i++)
		options[5 + i] = (uint8_t)(server >> (24 - 8 * i));
	len = answer(p, options, sizeof(options));
	for (int i = 0; i < 4; i++) {
		p[28 + 4 + i] = (uint8_t)(xid >> (24 - 8 * i));
		p[28 + 16 + i] = (uint8_t)(address >> (24 - 8 * i));
	}
	return dhcp_client_packet(&c, now, p, len);
}

static enum dhcp_action hear(uint8_t type, uint32_t server, uint32_t address)
{
	return hear_xid(type, server, address, c.xid);
}

static void begin(void)
{
	now = 1000;
	dhcp_client_init(&c, mac, "web", now);
	assert_int_equal(tick(1000), DHCP_SEND);
	assert_int_equal(q.type, DHCP_DISCOVER);
}

/* To BOUND by server A at t = 1000. */
static void bind_it(void)
{
	begin();
	assert_int_equal(hear(DHCP_OFFER, A, OURS), DHCP_NOTHING);
	assert_int_equal(tick(1000), DHCP_SEND);
	assert_int_equal(q.type, DHCP_REQUEST);
	assert_int_equal(q.address, OURS);
	assert_int_equal(q.server, A);
	assert_int_equal(q.current, 0);
	assert_int_equal(hear(DHCP_ACK, A, OURS), DHCP_TAKE);
	assert_int_equal(c.state, DHCP_BOUND);
	assert_int_equal(c.lease.address, OURS);
	assert_int_equal(c.deadline, 51000);
}

static void test_bind(void **state)
{
	(void)state;
	bind_it();
	/* A copy of the ACK, and a NAK that nobody asked for. */
	assert_int_equal(hear_xid(DHCP_ACK, A, OURS, 0x55aa00 + 1000), DHCP_NOTHING);
	assert_int_equal(hear_xid(DHCP_NAK, A, 0, 0x55aa00 + 1000), DHCP_NOTHING);
	assert_int_equal(hear_xid(DHCP_NAK, A, 0, 0), DHCP_NOTHING);
	assert_int_equal(c.state, DHCP_BOUND);
	assert_int_equal(tick(50999), DHCP_NOTHING);
}

/* Nobody answers: it asks again, less and less often, but for ever. */
static void test_lost(void **state)
{
	uint64_t last = 1000, gap = 0;

	(void)state;
	begin();
	for (int i = 0; i < 100; i++) {
		assert_int_equal(tick(c.deadline - 1), DHCP_NOTHING);
		assert_int_equal(tick(c.deadline), DHCP_SEND);
		assert_int_equal(q.type, DHCP_DISCOVER);
		assert_true(now - last >= 400 && now - last <= 8200);
		gap = now - last;
		last = now;
	}
	assert_true(gap > 7900);
	assert_true(q.seconds > 600);
}

/* A server that pings the address first offers it when we have asked again: the exchange is the same, and so are its seconds. */
static void test_late_offer(void **state)
{
	uint32_t xid;
	uint16_t seconds;

	(void)state;
	begin();
	xid = c.xid;
	for (int i = 0; i < 3; i++)
		assert_int_equal(tick(c.deadline), DHCP_SEND);
	seconds = q.seconds;
	assert_true(seconds > 0);
	now += 1500;
	assert_int_equal(hear_xid(DHCP_OFFER, A, OURS, xid), DHCP_NOTHING);
	assert_int_equal(c.state, DHCP_REQUESTING);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(tick(c.deadline), DHCP_SEND);
		assert_int_equal(q.type, DHCP_REQUEST);
		assert_int_equal(q.xid, xid);
		assert_int_equal(q.seconds, seconds);
	}
	assert_int_equal(hear(DHCP_ACK, A, OURS), DHCP_TAKE);
}

/* The request is lost: four times, then from the beginning. */
static void test_request_lost(void **state)
{
	(void)state;
	begin();
	(void)hear(DHCP_OFFER, A, OURS);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(tick(c.deadline), DHCP_SEND);
		assert_int_equal(q.type, DHCP_REQUEST);
	}
	assert_int_equal(tick(c.deadline), DHCP_SEND);
	assert_int_equal(q.type, DHCP_DISCOVER);
	/* The ACK to the request comes late: the exchange is another. */
	assert_int_equal(hear_xid(DHCP_ACK, A, OURS, 0x55aa00 + 1000), DHCP_NOTHING);
	assert_int_equal(c.state, DHCP_SELECTING);
}

static void test_hostile_selecting(void **state)
{
	(void)state;
	begin();
	/* An ACK or NAK before any offer, an offer in another exchange, of an address that nobody can have. */
	assert_int_equal(hear(DHCP_ACK, A, OURS), DHCP_NOTHING);
	assert_int_equal(hear(DHCP_NAK, A, 0), DHCP_NOTHING);
	assert_int_equal(hear_xid(DHCP_OFFER, A, OURS, c.xid + 1), DHCP_NOTHING);
	assert_int_equal(hear(DHCP_OFFER, A, 0x7f000001), DHCP_NOTHING);
	assert_int_equal(hear(DHCP_OFFER, 0, OURS), DHCP_NOTHING);
	assert_int_equal(c.state, DHCP_SELECTING);

	/* The first offer counts; another server's, and what it says to our request, does not. */
	(void)hear(DHCP_OFFER, A, OURS);
	(void)hear(DHCP_OFFER, B, OTHER);
	assert_int_equal(c.lease.server, A);
	assert_int_equal(tick(1000), DHCP_SEND);
	assert_int_equal(hear(DHCP_ACK, B, OURS), DHCP_NOTHING);
	assert_int_equal(hear(DHCP_NAK, B, 0), DHCP_NOTHING);
	assert_int_equal(hear(DHCP_ACK, A, OTHER), DHCP_NOTHING);
	assert_int_equal(c.state, DHCP_REQUESTING);
	assert_int_equal(hear(DHCP_ACK, A, OURS), DHCP_TAKE);
}

/* A server that offers and refuses in turns: there is a growing pause. */
static void test_nak(void **state)
{
	uint64_t pause = 0;

	(void)state;
	begin();
	for (int i = 0; i < 10; i++) {
		(void)hear(DHCP_OFFER, A, OURS);
		assert_int_equal(tick(c.deadline), DHCP_SEND);
		assert_int_equal(hear(DHCP_NAK, A, 0), DHCP_NOTHING);
		assert_int_equal(c.state, DHCP_SELECTING);
		pause = c.deadline - now;
		assert_int_equal(tick(c.deadline), DHCP_SEND);
		assert_int_equal(q.type, DHCP_DISCOVER);
	}
	assert_int_equal(pause, 8000);
}

static void test_renew(void **state)
{
	(void)state;
	bind_it();
	assert_int_equal(tick(51000), DHCP_SEND);
	assert_int_equal(c.state, DHCP_RENEWING);
	assert_int_equal(q.type, DHCP_REQUEST);
	assert_int_equal(q.current, OURS);
	assert_int_equal(q.to, A);
	assert_int_equal(q.address, 0);
	assert_int_equal(q.server, 0);
	/* Another server, another address: not an answer. */
	assert_int_equal(hear(DHCP_ACK, B, OURS), DHCP_NOTHING);
	assert_int_equal(hear(DHCP_NAK, B, 0), DHCP_NOTHING);
	assert_int_equal(hear(DHCP_ACK, A, OTHER), DHCP_NOTHING);
	assert_int_equal(hear(DHCP_ACK, A, OURS), DHCP_TAKE);
	assert_int_equal(c.state, DHCP_BOUND);
	assert_int_equal(c.deadline, 101000);
}

/* The server is gone: more than one request, then to everybody, then another server takes over. */
static void test_rebind(void **state)
{
	unsigned requests = 0;

	(void)state;
	bind_it();
	while (c.state != DHCP_REBINDING) {
		assert_int_equal(tick(c.deadline), DHCP_SEND);
		requests++;
	}
	assert_true(requests >= 3);
	assert_int_equal(now, 88000);
	assert_int_equal(q.to, 0);
	assert_int_equal(q.current, OURS);
	assert_int_equal(hear(DHCP_ACK, B, OTHER), DHCP_NOTHING);
	assert_int_equal(hear(DHCP_ACK, B, OURS), DHCP_TAKE);
	assert_int_equal(c.lease.server, B);
	assert_int_equal(c.deadline, 138000);
}

/* Nobody renews: at the end of the lease the address goes, and everything begins anew. */
static void test_expiry(void **state)
{
	enum dhcp_action action;

	(void)state;
	bind_it();
	while ((action = tick(c.deadline)) == DHCP_SEND)
		assert_true(now < 101000);
	assert_int_equal(action, DHCP_LEAVE);
	assert_int_equal(now, 101000);
	/* Late answers to the last request do not bring it back. */
	assert_int_equal(hear(DHCP_ACK, A, OURS), DHCP_NOTHING);
	assert_int_equal(tick(c.deadline), DHCP_SEND);
	assert_int_equal(q.type, DHCP_DISCOVER);
	assert_int_equal(q.current, 0);
}

static void test_renewal_refused(void **state)
{
	(void)state;
	bind_it();
	(void)tick(51000);
	assert_int_equal(hear(DHCP_NAK, A, 0), DHCP_LEAVE);
	assert_int_equal(c.state, DHCP_SELECTING);
	assert_true(c.deadline > now);
}

/* The clock jumped (a machine that was paused) beyond the end of the lease. */
static void test_jump(void **state)
{
	(void)state;
	bind_it();
	assert_int_equal(tick(5000000), DHCP_LEAVE);
	bind_it();
	assert_int_equal(tick(95000), DHCP_SEND);
	assert_int_equal(c.state, DHCP_REBINDING);
	assert_int_equal(q.to, 0);
}

static void test_same(void **state)
{
	struct dhcp_lease a = {.address = 1, .seconds = 5, .server = A},
			  b = {.address = 1, .seconds = 6, .server = B};

	(void)state;
	assert_true(dhcp_lease_same(&a, &b));
	b.dns[2] = 1;
	assert_false(dhcp_lease_same(&a, &b));
	b = a;
	b.search[0] = 'x';
	assert_false(dhcp_lease_same(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bind),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_late_offer),
		cmocka_unit_test(test_request_lost),
		cmocka_unit_test(test_hostile_selecting),
		cmocka_unit_test(test_nak),
		cmocka_unit_test(test_renew),
		cmocka_unit_test(test_rebind),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_renewal_refused),
		cmocka_unit_test(test_jump),
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
