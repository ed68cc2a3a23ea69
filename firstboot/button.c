/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel Documentation/userspace-api/netlink/intro.rst; drivers/acpi/event.c has the family, which has no
 * public header. */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "button.h"

#define ACPI_FAMILY "acpi_event"
#define ACPI_GROUP  "acpi_mc_group"
#define ACPI_CLASS  "button/power" /* the payload starts with it, in 20 bytes */
#define ACPI_EVENT  1		   /* command and attribute */

static _Alignas(8) char message[4096];

/* The payload of attribute @type among @len bytes of attributes at @p. NULL: it is not there. */
static const char *attribute(const char *p, size_t len, uint16_t type, size_t *ret_len)
{
	while (len >= NLA_HDRLEN) {
		struct nlattr a;
		size_t step;

		memcpy(&a, p, sizeof a);
		if (a.nla_len < NLA_HDRLEN || a.nla_len > len)
			return NULL;
		if ((a.nla_type & NLA_TYPE_MASK) == type) {
			*ret_len = a.nla_len - NLA_HDRLEN;
			return p + NLA_HDRLEN;
		}
		step = NLA_ALIGN(a.nla_len);
		if (step > len)
			return NULL;
		p += step;
		len -= step;
	}
	return NULL;
}

/* The attributes of one generic netlink message of @n bytes in message[]. NULL: it is not one, or an error.
 */
static const char *message_attributes(ssize_t n, size_t *ret_len)
{
	struct nlmsghdr h;

	if (n < (ssize_t)(NLMSG_HDRLEN + GENL_HDRLEN))
		return NULL;
	memcpy(&h, message, sizeof h);
	if (h.nlmsg_len > (size_t)n || h.nlmsg_len < NLMSG_HDRLEN + GENL_HDRLEN ||
	    h.nlmsg_type < NLMSG_MIN_TYPE)
		return NULL;
	*ret_len = h.nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN;
	return message + NLMSG_HDRLEN + GENL_HDRLEN;
}

/* Asks the controller for the family. */
static int ask_family(int fd)
{
	static const struct {
		struct nlmsghdr h;
		struct genlmsghdr g;
		struct nlattr a;
		char name[16];
	} ask = {
		.h = {.nlmsg_len = sizeof ask, .nlmsg_type = GENL_ID_CTRL, .nlmsg_flags = NLM_F_REQUEST},
		.g = {.cmd = CTRL_CMD_GETFAMILY, .version = 1},
		.a = {.nla_len = NLA_HDRLEN + sizeof ACPI_FAMILY, .nla_type = CTRL_ATTR_FAMILY_NAME},
		.name = ACPI_FAMILY,
	};

	return send(fd, &ask, sizeof ask, 0) < 0 ? -errno : 0;
}

/* The multicast group in the controller's answer. */
static int read_group(int fd, uint32_t *ret)
{
	size_t len = 0, groups_len = 0, name_len = 0, id_len = 0;
	const char *p = message_attributes(recv(fd, message, sizeof message, 0), &len);
	const char *groups = p ? attribute(p, len, CTRL_ATTR_MCAST_GROUPS, &groups_len) : NULL;

	/* Nested and numbered from 1. */
	for (uint16_t i = 1; groups && i < 16; i++) {
		size_t one_len = 0;
		const char *one = attribute(groups, groups_len, i, &one_len);
		const char *name = one ? attribute(one, one_len, CTRL_ATTR_MCAST_GRP_NAME, &name_len) : NULL;
		const char *id = one ? attribute(one, one_len, CTRL_ATTR_MCAST_GRP_ID, &id_len) : NULL;

		if (!one)
			break;
		if (name && id && name_len == sizeof ACPI_GROUP && memcmp(name, ACPI_GROUP, name_len) == 0 &&
		    id_len == sizeof *ret) {
			memcpy(ret, id, sizeof *ret);
			return 0;
		}
	}
	return -ENOENT;
}

int button_open(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	uint32_t group = 0;
	int r;
	/* Non-blocking is enough for the answer too: the controller has answered before send() returns. */
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_GENERIC);

	if (fd < 0)
		return -errno;
	r = bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : ask_family(fd);
	if (r == 0)
		r = read_group(fd, &group);
	if (r == 0 && setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

bool button_pressed(int fd)
{
	bool pressed = false;
	ssize_t n;

	while ((n = recv(fd, message, sizeof message, 0)) > 0) {
		size_t len = 0, event_len = 0;
		const char *p = message_attributes(n, &len);
		const char *event = p ? attribute(p, len, ACPI_EVENT, &event_len) : NULL;

		if (event && event_len >= sizeof ACPI_CLASS &&
		    memcmp(event, ACPI_CLASS, sizeof ACPI_CLASS) == 0)
			pressed = true;
	}
	return pressed;
}
