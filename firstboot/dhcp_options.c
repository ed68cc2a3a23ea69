/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "dhcp_options.h"

#define LEASE_DEFAULT 3600 /* seconds, when the server leaves the time out */
#define LEASE_MIN     4	   /* less would only keep the link busy */

uint16_t dhcp_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t dhcp_get32(const uint8_t *p)
{
	return (uint32_t)dhcp_get16(p) << 16 | dhcp_get16(p + 2);
}

static bool is_domain_char(uint8_t c)
{
	return c == '-' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

static void take_domain(const uint8_t *value, size_t len, char out[256])
{
	size_t i;

	/* Some servers count a final NUL. */
	while (len && value[len - 1] == '\0')
		len--;
	for (i = 0; i < len && i < 253; i++)
		if (!is_domain_char(value[i]))
			return;
	memcpy(out, value, i);
	out[i] = '\0';
}

/*
 * One name of option 119 at @at, in the compression of RFC 1035, section 4.1.4. Returns where the next one
 * begins, 0 when it is damaged; *ret_len is the length of the text. A pointer must lead backwards, so there
 * is an end.
 */
static size_t search_name(const uint8_t *p, size_t len, size_t at, char out[256], size_t *ret_len)
{
	size_t next = 0, n = 0;

	for (;;) {
		uint8_t label = at < len ? p[at] : 0xff;

		if (label >> 6 == 3 && len - at >= 2) {
			size_t to = dhcp_get16(p + at) & 0x3fff;

			if (!next)
				next = at + 2;
			if (to >= at)
				return 0;
			at = to;
			continue;
		}
		if (label > 63 || len - at - 1 < label || n + label + 1 > 253)
			return 0;
		at++;
		if (label == 0)
			break;
		if (n)
			out[n++] = '.';
		for (size_t i = 0; i < label; i++, at++) {
			if (!is_domain_char(p[at]) || p[at] == '.')
				return 0;
			out[n++] = (char)p[at];
		}
	}
	*ret_len = n;
	return next ? next : at;
}

void dhcp_search_list(const uint8_t *p, size_t len, char *out, size_t size)
{
	char name[256];
	size_t used = 0, n = 0;

	for (size_t at = 0; at < len;) {
		at = search_name(p, len, at, name, &n);
		if (at == 0 || n == 0 || used + n + 2 > size)
			return;
		if (used)
			out[used++] = ' ';
		memcpy(out + used, name, n);
		used += n;
		out[used] = '\0';
	}
}

/* Each: width of the mask, as many bytes of the destination as it needs, router. */
static void take_routes(const uint8_t *p, size_t len, struct dhcp_found *f)
{
	struct dhcp_route *r = f->lease.routes;
	size_t count = 0;

	for (size_t at = 0; at < len && count < DHCP_ROUTES_MAX; count++) {
		uint8_t width = p[at++];
		size_t bytes = (width + 7u) / 8;
		uint8_t to[4] = {0};

		if (width > 32 || len - at < bytes + 4)
			return;
		memcpy(to, p + at, bytes);
		at += bytes;
		r[count].netmask = width ? UINT32_MAX << (32 - width) : 0;
		r[count].destination = dhcp_get32(to) & r[count].netmask;
		r[count].router = dhcp_get32(p + at);
		at += 4;
	}
	f->lease.route_count = count;
	f->has_routes = true;
}

static void take_number(uint8_t option, const uint8_t *value, size_t len, struct dhcp_found *f)
{
	struct dhcp_lease *l = &f->lease;

	if (len != 4)
		return;
	if (option == OPTION_NETMASK)
		l->netmask = dhcp_get32(value);
	else if (option == OPTION_SERVER)
		l->server = dhcp_get32(value);
	else if (option == OPTION_LEASE)
		l->seconds = dhcp_get32(value);
	else if (option == OPTION_RENEW)
		l->renew = dhcp_get32(value);
	else if (option == OPTION_REBIND)
		l->rebind = dhcp_get32(value);
}

static void take_option(uint8_t option, const uint8_t *value, size_t len, struct dhcp_found *f)
{
	struct dhcp_lease *l = &f->lease;

	if (option == OPTION_TYPE && len == 1)
		f->type = *value;
	else if (option == OPTION_OVERLOAD && len == 1)
		f->overload = *value;
	else if (option == OPTION_ROUTER && len >= 4)
		l->router = dhcp_get32(value);
	else if (option == OPTION_MTU && len == 2 && dhcp_get16(value) >= 576)
		l->mtu = dhcp_get16(value);
	else if (option == OPTION_DNS)
		for (size_t i = 0; i < DHCP_DNS_MAX && len >= 4 * (i + 1); i++)
			l->dns[i] = dhcp_get32(value + 4 * i);
	else if (option == OPTION_DOMAIN)
		take_domain(value, len, l->domain);
	else if (option == OPTION_ROUTES)
		take_routes(value, len, f);
	else if (option == OPTION_SEARCH && len <= sizeof f->search - f->search_len) {
		memcpy(f->search + f->search_len, value, len); /* a long one comes in parts (RFC 3396) */
		f->search_len += len;
	} else
		take_number(option, value, len, f);
}

int dhcp_take_options(const uint8_t *p, size_t len, struct dhcp_found *f)
{
	for (size_t i = 0; i < len && p[i] != OPTION_END;) {
		if (p[i] == OPTION_PAD) {
			i++;
			continue;
		}
		if (len - i < 2 || p[i + 1] > len - i - 2)
			return -EBADMSG;
		take_option(p[i], p + i + 2, p[i + 1], f);
		i += 2u + p[i + 1];
	}
	return 0;
}

/* Class A, B or C, when the server leaves the mask out. */
static uint32_t default_mask(uint32_t address)
{
	return !(address >> 31) ? 0xff000000 : !(address >> 30 & 1) ? 0xffff0000 : 0xffffff00;
}

/* An address that one host can have: not 0.x, not loopback, not multicast or above. */
static bool is_host(uint32_t address)
{
	return address >> 24 != 0 && address >> 24 != 127 && address >> 28 < 14;
}

/* T1 and T2: what the server says where it makes sense, else a half and seven eighths (RFC 2131, 4.4.5). */
static void complete_times(struct dhcp_lease *l)
{
	if (l->seconds == 0)
		l->seconds = LEASE_DEFAULT;
	if (l->seconds < LEASE_MIN)
		l->seconds = LEASE_MIN;
	if (l->rebind == 0 || l->rebind >= l->seconds || (l->renew && l->renew >= l->rebind)) {
		l->rebind = (uint32_t)((uint64_t)l->seconds * 7 / 8);
		if (l->renew >= l->rebind)
			l->renew = 0;
	}
	if (l->renew == 0 || l->renew >= l->rebind)
		l->renew = l->seconds / 2 < l->rebind ? l->seconds / 2 : l->rebind / 2;
}

/* With option 121 only its routes count; the default one among them is the router. */
static int complete_routes(struct dhcp_found *f)
{
	struct dhcp_lease *l = &f->lease;
	size_t kept = 0;

	if (f->has_routes)
		l->router = 0;
	for (size_t i = 0; i < l->route_count; i++) {
		struct dhcp_route r = l->routes[i];

		/* 0.0.0.0: on the link. */
		if (r.router && !is_host(r.router))
			return -EBADMSG;
		if (r.netmask == 0 && r.router)
			l->router = r.router;
		else if (r.netmask && is_host(r.destination))
			l->routes[kept++] = r;
	}
	memset(l->routes + kept, 0, (DHCP_ROUTES_MAX - kept) * sizeof l->routes[0]);
	l->route_count = kept;
	return l->router && !is_host(l->router) ? -EBADMSG : 0;
}

int dhcp_complete(struct dhcp_found *f)
{
	struct dhcp_lease *l = &f->lease;
	size_t kept = 0;

	if (!l->netmask)
		l->netmask = default_mask(l->address);
	if (!is_host(l->address) || !is_host(l->server) || (~l->netmask & (~l->netmask + 1)) != 0)
		return -EBADMSG;
	for (size_t i = 0; i < DHCP_DNS_MAX; i++)
		if (l->dns[i] && (is_host(l->dns[i]) || l->dns[i] >> 24 == 127))
			l->dns[kept++] = l->dns[i];
	for (; kept < DHCP_DNS_MAX; kept++)
		l->dns[kept] = 0;
	dhcp_search_list(f->search, f->search_len, l->search, sizeof l->search);
	complete_times(l);
	return complete_routes(f);
}
