/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "dhcp_client.h"

#define RETRY_FIRST_MS 500 /* between two packets; doubles */
#define RETRY_LAST_MS  8000
#define JITTER_MS      100
#define REQUESTS_MAX   4     /* for one offer */
#define RENEW_LAST_MS  60000 /* between two requests to renew, at the most necessary (RFC 2131, 4.4.5) */

/* From the beginning, after @wait. */
static void restart(struct dhcp_client *c, uint64_t now, uint64_t wait)
{
	c->state = DHCP_SELECTING;
	c->xid = 0; /* nothing is asked: no answer counts */
	c->deadline = now + wait;
	c->began = now;
}

void dhcp_client_init(struct dhcp_client *c, const uint8_t mac[6], const char *hostname, uint64_t now)
{
	memset(c, 0, sizeof *c);
	memcpy(c->mac, mac, sizeof c->mac);
	c->hostname = hostname;
	c->wait = RETRY_FIRST_MS;
	restart(c, now, 0);
}

static void query(struct dhcp_client *c, enum dhcp_type type, uint64_t now, struct dhcp_query *ret)
{
	uint64_t seconds = (now - c->began) / 1000;

	memset(ret, 0, sizeof *ret);
	ret->type = type;
	ret->xid = c->xid;
	ret->seconds = seconds > UINT16_MAX ? UINT16_MAX : (uint16_t)seconds;
	ret->hostname = c->hostname;
	memcpy(ret->mac, c->mac, sizeof ret->mac);
	c->sent = now;
}

static void back_off(struct dhcp_client *c, uint64_t now, uint32_t random)
{
	c->deadline = now + c->wait + random % JITTER_MS;
	c->wait = c->wait * 2 < RETRY_LAST_MS ? c->wait * 2 : RETRY_LAST_MS;
}

/* 0 says that nothing is asked. */
static uint32_t new_xid(uint32_t random)
{
	return random ? random : 1;
}

/* Again under the same number until somebody offers: a server may take longer (to ping the address, say) than we wait. */
static enum dhcp_action discover(struct dhcp_client *c, uint64_t now, uint32_t random, struct dhcp_query *ret)
{
	if (!c->xid)
		c->xid = new_xid(random);
	query(c, DHCP_DISCOVER, now, ret);
	c->seconds = ret->seconds;
	back_off(c, now, random);
	return DHCP_SEND;
}

static enum dhcp_action request(struct dhcp_client *c, uint64_t now, uint32_t random, struct dhcp_query *ret)
{
	if (c->requests++ >= REQUESTS_MAX) {
		restart(c, now, 0);
		return discover(c, now, random, ret);
	}
	query(c, DHCP_REQUEST, now, ret);
	ret->seconds =
		c->seconds; /* as in the DISCOVER, so that a relay passes it on to the same servers (RFC 2131, 3.1) */
	ret->address = c->lease.address;
	ret->server = c->lease.server;
	back_off(c, now, random);
	return DHCP_SEND;
}

/* The lease's end, or a refusal, takes the address away. */
static enum dhcp_action lose(struct dhcp_client *c, uint64_t now)
{
	c->wait = RETRY_FIRST_MS;
	restart(c, now, RETRY_FIRST_MS);
	return DHCP_LEAVE;
}

/* The next request comes after half of what is left until @until, yet not too soon. */
static void plan_renewal(struct dhcp_client *c, uint64_t now, uint64_t until)
{
	uint64_t least = (uint64_t)c->lease.seconds * 1000 / 8;
	uint64_t wait = (until - now) / 2;

	if (least > RENEW_LAST_MS)
		least = RENEW_LAST_MS;
	if (wait < least)
		wait = least;
	c->deadline = until - now < wait ? until : now + wait;
}

static enum dhcp_action renew(struct dhcp_client *c, uint64_t now, uint32_t random, struct dhcp_query *ret)
{
	enum dhcp_state state = now >= c->rebind_at ? DHCP_REBINDING : DHCP_RENEWING;

	if (now >= c->end_at)
		return lose(c, now);
	if (c->state == DHCP_BOUND)
		c->began = now;
	if (c->state != state)
		c->xid = new_xid(random);
	c->state = state;
	query(c, DHCP_REQUEST, now, ret);
	ret->current = c->lease.address;
	ret->to = state == DHCP_RENEWING ? c->lease.server : 0;
	plan_renewal(c, now, state == DHCP_RENEWING ? c->rebind_at : c->end_at);
	return DHCP_SEND;
}

enum dhcp_action dhcp_client_time(struct dhcp_client *c, uint64_t now, uint32_t random,
				  struct dhcp_query *ret)
{
	if (now < c->deadline)
		return DHCP_NOTHING;
	if (c->state == DHCP_SELECTING)
		return discover(c, now, random, ret);
	if (c->state == DHCP_REQUESTING)
		return request(c, now, random, ret);
	return renew(c, now, random, ret);
}

static enum dhcp_action take_ack(struct dhcp_client *c, const struct dhcp_lease *l)
{
	c->lease = *l;
	c->state = DHCP_BOUND;
	c->xid = 0;
	c->wait = RETRY_FIRST_MS;
	if (l->seconds == UINT32_MAX) {
		c->renew_at = c->rebind_at = c->end_at = c->deadline = UINT64_MAX;
		return DHCP_TAKE;
	}
	c->renew_at = c->deadline = c->sent + (uint64_t)l->renew * 1000;
	c->rebind_at = c->sent + (uint64_t)l->rebind * 1000;
	c->end_at = c->sent + (uint64_t)l->seconds * 1000;
	return DHCP_TAKE;
}

/* Whether @l is from the server that we speak to. To REBINDING any server may answer. */
static bool is_partner(const struct dhcp_client *c, const struct dhcp_lease *l)
{
	return c->state == DHCP_REBINDING || l->server == c->lease.server;
}

enum dhcp_action dhcp_client_packet(struct dhcp_client *c, uint64_t now, const uint8_t *packet, size_t len)
{
	struct dhcp_lease l;
	enum dhcp_type type;

	if (!c->xid || dhcp_parse(packet, len, c->xid, c->mac, &type, &l) < 0)
		return DHCP_NOTHING;
	if (c->state == DHCP_SELECTING) {
		if (type != DHCP_OFFER)
			return DHCP_NOTHING;
		c->lease = l;
		c->state = DHCP_REQUESTING;
		c->requests = 0;
		c->deadline = now; /* the request goes out at once */
		return DHCP_NOTHING;
	}
	if (type == DHCP_OFFER || !is_partner(c, &l))
		return DHCP_NOTHING;
	if (type == DHCP_ACK)
		return l.address == c->lease.address ? take_ack(c, &l) : DHCP_NOTHING;
	if (c->state != DHCP_REQUESTING)
		return lose(c, now);
	/* Growing patience: a server that offers and refuses in turns does not keep us and the link busy. */
	restart(c, now, c->wait);
	return DHCP_NOTHING;
}

bool dhcp_lease_same(const struct dhcp_lease *a, const struct dhcp_lease *b)
{
	bool same = a->address == b->address && a->netmask == b->netmask && a->router == b->router &&
		    a->mtu == b->mtu && a->route_count == b->route_count &&
		    memcmp(a->dns, b->dns, sizeof a->dns) == 0 && strcmp(a->domain, b->domain) == 0 &&
		    strcmp(a->search, b->search) == 0;

	for (size_t i = 0; same && i < a->route_count; i++)
		same = memcmp(&a->routes[i], &b->routes[i], sizeof a->routes[i]) == 0;
	return same;
}
