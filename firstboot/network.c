/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dhcp_link.h"
#include "end.h"
#include "file.h"
#include "image/abi.h"
#include "lease.h"
#include "line.h"
#include "net.h"
#include "netlink.h"
#include "network.h"
#include "rdnss.h"
#include "record.h"
#include "resolv.h"

#define INTERFACE_MS 100 /* between two looks */
#define METRIC_STEP  100 /* the first interface's routes count before the second's */

struct link {
	const char *name; /* NULL: whatever comes first */
	struct net_interface n;
	bool found;
	bool dhcp;
	bool has_lease;
	struct dhcp_link client;
	struct dhcp_lease lease; /* what the interface is set up with */
};

static struct link links[NETWORK_LINKS_MAX];
static size_t link_count;
static const struct conf *conf;
static struct rdnss rdnss;
static int rdnss_fd = -1;

/* ---- the resolver ---- */

static void add_lease(struct resolv *r, const struct dhcp_lease *l)
{
	for (size_t i = 0; i < DHCP_DNS_MAX && l->dns[i]; i++) {
		struct line address = {.len = 0};

		lease_print(&address, l->dns[i]);
		resolv_server(r, address.text);
	}
	resolv_search(r, l->search[0] ? l->search : l->domain);
}

/* A link-local server is on one link, which has to be said. */
static void add_advertised(struct resolv *r, size_t i)
{
	const uint8_t *a = rdnss.servers[i].address;
	struct line address = {.len = 0};
	char name[IF_NAMESIZE];

	for (size_t k = 0; k < 16; k += 2)
		line_printf(&address, "%s%x", k ? ":" : "", (unsigned)a[k] << 8 | a[k + 1]);
	if (a[0] == 0xfe && (a[1] & 0xc0) == 0x80) {
		if (!if_indextoname((unsigned)rdnss.servers[i].index, name))
			return;
		line_printf(&address, "%c%s", '%', name);
	}
	resolv_server(r, address.text);
}

/* The template's servers first, then the leases', then the routers'. */
static int write_resolv(void)
{
	static struct resolv r;

	memset(&r, 0, sizeof r);
	for (size_t i = 0; i < conf->dns.len; i++)
		resolv_server(&r, conf->dns.ptr[i]);
	for (size_t i = 0; i < conf->search.len; i++)
		resolv_search(&r, conf->search.ptr[i]);
	for (size_t i = 0; i < link_count; i++)
		if (links[i].has_lease)
			add_lease(&r, &links[i].lease);
	for (size_t i = 0; i < rdnss.count; i++)
		add_advertised(&r, i);
	resolv_search(&r, rdnss.search);
	return resolv_write(&r);
}

/* ---- one interface ---- */

static void record_link(const struct link *l, const char *state, const char *address)
{
	record_begin(ABI_EVENT_NETWORK);
	record_text("interface", l->n.name);
	record_text("state", state);
	if (address)
		record_text("address", address);
	record_end();
}

static void record_lease(const struct link *l)
{
	struct line address = {.len = 0};

	lease_print(&address, l->lease.address);
	line_printf(&address, "/%d", __builtin_popcount(l->lease.netmask));
	record_link(l, ABI_NETWORK_UP, address.text);
}

/* Address= lines that are for this interface; those that name none are for the first. */
static bool is_for(const struct link *l, const char *name, size_t len)
{
	return name ? strlen(l->n.name) == len && memcmp(l->n.name, name, len) == 0 : l == &links[0];
}

/* Whether a fixed IPv4 address makes DHCP needless. */
static bool has_fixed(const struct link *l)
{
	struct netlink_address a;
	const char *name;
	size_t len;

	for (size_t i = 0; i < conf->addresses.len; i++)
		if (lease_parse_address(conf->addresses.ptr[i], &name, &len, &a) && a.family == AF_INET &&
		    is_for(l, name, len))
			return true;
	return false;
}

static int add_fixed(struct link *l)
{
	struct netlink_address a;
	const char *name;
	size_t len;
	int r = 0;

	for (size_t i = 0; r == 0 && i < conf->addresses.len; i++) {
		const char *text = conf->addresses.ptr[i];

		if (!lease_parse_address(text, &name, &len, &a) || !is_for(l, name, len))
			continue;
		r = netlink_add_address(l->n.index, &a);
		if (r == 0)
			record_link(l, ABI_NETWORK_UP, name ? name + len + 1 : text);
	}
	return r;
}

static int add_gateways(struct link *l)
{
	struct netlink_address a;
	const char *name;
	size_t len;
	int r = 0;

	for (size_t i = 0; r == 0 && i < conf->gateways.len; i++) {
		struct netlink_route route = {.gateway = a.bytes};

		if (!lease_parse_address(conf->gateways.ptr[i], &name, &len, &a) || !is_for(l, name, len))
			continue;
		route.to.family = a.family;
		route.metric = a.family == AF_INET6 ? 1024 : (uint32_t)(l - links) * METRIC_STEP;
		r = netlink_add_route(l->n.index, &route);
	}
	return r;
}

/* IPv6 by advertisement is the kernel's own; here it is only forbidden. Must be said before the link is up. */
static int forbid_ipv6(const struct link *l)
{
	struct line path = {.len = 0};
	int r;

	line_printf(&path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", l->n.name);
	r = file_write_text(path.text, "1");
	return r == -ENOENT ? 0 : r; /* a kernel without IPv6 */
}

static void start_link(struct link *l)
{
	int r = conf->ipv6 == CONF_IPV6_NO ? forbid_ipv6(l) : 0;

	if (r < 0)
		fail(ABI_FAILED_NETWORK, "%s: IPv6 cannot be switched off: %s", l->n.name, strerror(-r));
	r = net_up(&l->n);
	if (r < 0)
		fail(ABI_FAILED_NETWORK, "%s does not come up: %s", l->n.name, strerror(-r));
	r = add_fixed(l);
	if (r == 0)
		r = add_gateways(l);
	if (r < 0)
		fail(ABI_FAILED_NETWORK, "%s does not take Address= or Gateway=: %s", l->n.name,
		     strerror(-r));
	l->dhcp = conf->network == CONF_NETWORK_DHCP && !has_fixed(l);
	r = l->dhcp ? dhcp_link_open(&l->client, &l->n, conf->hostname) : 0;
	if (r < 0)
		fail(ABI_FAILED_NETWORK, "no packet socket on %s: %s", l->n.name, strerror(-r));
}

/* The lease that the client has now. True: something changed. A lease that the kernel does not take is as bad as
 * none; before the application starts the patience of network_start() ends it. */
static bool take_lease(struct link *l)
{
	const struct dhcp_lease *lease = &l->client.client.lease;
	bool same = l->has_lease && dhcp_lease_same(&l->lease, lease);

	if (same)
		return false;
	if (l->has_lease)
		(void)lease_remove(&l->n, &l->lease);
	l->has_lease = lease_apply(&l->n, lease, (uint32_t)(l - links) * METRIC_STEP) == 0;
	l->lease = *lease;
	if (l->has_lease)
		record_lease(l);
	else
		record_link(l, ABI_NETWORK_LOST, NULL);
	dhcp_link_bind(&l->client, &l->n);
	return true;
}

static bool leave_lease(struct link *l)
{
	dhcp_link_unbind(&l->client);
	if (!l->has_lease)
		return false;
	(void)lease_remove(&l->n, &l->lease);
	l->has_lease = false;
	record_link(l, ABI_NETWORK_LOST, NULL);
	return true;
}

static bool step_link(struct link *l)
{
	enum dhcp_action action = l->dhcp ? dhcp_link_step(&l->client, &l->n) : DHCP_NOTHING;

	return action == DHCP_TAKE ? take_lease(l) : action == DHCP_LEAVE ? leave_lease(l) : false;
}

/* ---- all of them ---- */

size_t network_poll(struct pollfd *p, size_t max)
{
	size_t n = 0;

	if (max < NETWORK_FDS_MAX)
		return 0;
	for (size_t i = 0; i < link_count; i++)
		if (links[i].dhcp)
			p[n++] = (struct pollfd){.fd = links[i].client.packet_fd, .events = POLLIN};
	if (rdnss_fd >= 0)
		p[n++] = (struct pollfd){.fd = rdnss_fd, .events = POLLIN};
	return n;
}

uint64_t network_deadline(void)
{
	uint64_t next = rdnss_deadline(&rdnss);

	for (size_t i = 0; i < link_count; i++)
		if (links[i].dhcp && links[i].client.client.deadline < next)
			next = links[i].client.client.deadline;
	return next;
}

void network_step(void)
{
	bool changed = rdnss_fd >= 0 && rdnss_read(&rdnss, rdnss_fd);

	changed |= rdnss_expire(&rdnss, clock_ms());
	for (size_t i = 0; i < link_count; i++)
		changed |= step_link(&links[i]);
	/* The file is in memory; where even that is full, the old one is still the best. */
	if (changed)
		(void)write_resolv();
}

/* A driver may need a moment between its module and its interface. */
static bool find_links(void)
{
	bool all = true;

	for (size_t i = 0; i < link_count; i++) {
		struct link *l = &links[i];

		if (l->found)
			continue;
		l->found = net_find(l->name, &l->n) == 0;
		if (l->found)
			start_link(l);
		all &= l->found;
	}
	return all;
}

/* Whether an address of global scope, past its test for duplicates, is on @l (proc(5), net/if_inet6). */
static bool has_ipv6(const struct link *l)
{
	static char text[8192];
	size_t name_len = strlen(l->n.name);
	char *line = text;

	if (file_read(AT_FDCWD, "/proc/net/if_inet6", text, sizeof text, NULL) < 0)
		return false;
	for (char *end; (end = strchr(line, '\n')); line = end + 1) {
		size_t len = (size_t)(end - line);

		/* 32 digits, index, prefix, scope, flags (0x40: tentative), name. */
		if (len > 45 + name_len && line[39] == '0' && line[40] == '0' &&
		    !strchr("4567cdef", line[42]) && line[end - line - (ptrdiff_t)name_len - 1] == ' ' &&
		    memcmp(end - name_len, l->n.name, name_len) == 0)
			return true;
	}
	return false;
}

static bool is_complete(const struct link *l)
{
	if (conf->network == CONF_NETWORK_IPV6 && !has_fixed(l))
		return has_ipv6(l);
	return !l->dhcp || l->has_lease;
}

/* The first interface that is not as it should be; NULL: none. */
static const struct link *first_incomplete(void)
{
	for (size_t i = 0; i < link_count; i++)
		if (!links[i].found || !is_complete(&links[i]))
			return &links[i];
	return NULL;
}

static _Noreturn void give_up(const struct link *l)
{
	unsigned seconds = NETWORK_PATIENCE_MS / 1000;

	if (!l->found && l->name)
		fail(ABI_FAILED_NETWORK,
		     "no Ethernet interface '%s' within %u s (is its driver among the modules?)", l->name,
		     seconds);
	if (!l->found)
		fail(ABI_FAILED_NETWORK,
		     "no Ethernet interface within %u s (is its driver among the modules?)", seconds);
	fail(ABI_FAILED_NETWORK,
	     conf->network == CONF_NETWORK_IPV6 ? "no IPv6 router gave %s an address within %u s"
						: "no DHCP server gave %s an address within %u s",
	     l->n.name, seconds);
}

void network_start(const struct conf *c, struct events *e)
{
	uint64_t deadline = clock_ms() + NETWORK_PATIENCE_MS;
	const struct link *missing;
	int r;

	conf = c;
	if (c->network == CONF_NETWORK_NONE)
		return;
	if (c->ipv6 != CONF_IPV6_NO)
		rdnss_fd = rdnss_open(); /* without it there is IPv6 all the same */
	link_count = c->interfaces.len ? c->interfaces.len : 1;
	for (size_t i = 0; i < c->interfaces.len; i++)
		links[i].name = c->interfaces.ptr[i];
	while (find_links(), network_step(), (missing = first_incomplete()) && !e->stop) {
		struct pollfd p[NETWORK_FDS_MAX];
		uint64_t until = network_deadline();

		if (clock_ms() >= deadline)
			give_up(missing);
		if ((!missing->found || conf->network == CONF_NETWORK_IPV6) &&
		    clock_ms() + INTERFACE_MS < until)
			until = clock_ms() + INTERFACE_MS;
		events_wait(e, p, network_poll(p, NETWORK_FDS_MAX), until < deadline ? until : deadline);
	}
	r = e->stop ? 0 : write_resolv();
	if (r < 0)
		fail(ABI_FAILED_NETWORK, "the resolver's configuration: %s", strerror(-r));
}
