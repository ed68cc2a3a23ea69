/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces and addresses, and the label of the data volume. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "template/names.h"
#include "template/values.h"

#define INTERFACE_MAX 15 /* IFNAMSIZ without its NUL */
#define LABEL_MAX     16 /* of ext4 */

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static bool is_interface(const char *value, size_t len)
{
	return len >= 1 && len <= INTERFACE_MAX && strspn(value, NAME_CHARS "_-.") >= len && *value != '-' &&
	       *value != '.';
}

int name_interface(const char *value, struct error *err)
{
	if (!is_interface(value, strlen(value)))
		return error_usage(err, "'%s' is not the name of an interface, such as eth0", value);
	return 0;
}

/* "ADDRESS", with @bits also "ADDRESS/BITS". */
static bool is_address(const char *value, bool bits)
{
	size_t len = strcspn(value, "/");
	struct error ignored = ERROR_INIT;
	unsigned char bytes[16];
	char address[64];
	uint64_t n;
	int family;

	if (len >= sizeof(address))
		return false;
	memcpy(address, value, len);
	address[len] = 0;
	family = strchr(address, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(family, address, bytes) != 1)
		return false;
	if (!bits)
		return !value[len];
	return value[len] &&
	       value_number(value + len + 1, 1, family == AF_INET6 ? 128 : 32, &n, &ignored) >= 0;
}

int name_ip(const char *value, struct error *err)
{
	if (!is_address(value, false))
		return error_usage(err, "'%s' is not an IPv4 or IPv6 address", value);
	return 0;
}

/* What comes behind "INTERFACE ", or all of it. */
static const char *behind_interface(const char *value)
{
	size_t len = strcspn(value, " ");

	return value[len] && is_interface(value, len) ? value + len + 1 : value;
}

int name_address_line(const char *value, struct error *err)
{
	if (!is_address(behind_interface(value), true))
		return error_usage(
			err,
			"'%s' is not [INTERFACE] ADDRESS/BITS, such as 10.0.0.5/24 or eth1 2001:db8::5/64",
			value);
	return 0;
}

int name_gateway_line(const char *value, struct error *err)
{
	if (!is_address(behind_interface(value), false))
		return error_usage(err, "'%s' is not [INTERFACE] ADDRESS, such as 10.0.0.1 or eth1 fe80::1",
				   value);
	return 0;
}

int name_label(const char *value, struct error *err)
{
	size_t len = strlen(value);

	if (len > LABEL_MAX || strspn(value, NAME_CHARS "_-.") != len || *value == '-')
		return error_usage(err, "'%s' is not a label: letters, digits, '_', '-' and '.', at most %d",
				   value, LABEL_MAX);
	return 0;
}
