/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uevent.h"

#define UEVENT_GROUP_KERNEL 1
#define UEVENT_BUFFER	    (1 << 20) /* bytes; several hundred devices at once */

int uevent_open(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = UEVENT_GROUP_KERNEL};
	int size = UEVENT_BUFFER;
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	if (fd < 0)
		return -errno;
	/* With the default size a burst may be lost; uevent_receive() tells, so this need not succeed. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

int uevent_receive(int fd, struct uevent *ret)
{
	for (;;) {
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof from;
		ssize_t n = recvfrom(fd, ret->text, sizeof ret->text - 1, MSG_DONTWAIT,
				     (struct sockaddr *)&from, &from_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (from_len != sizeof from || from.nl_pid != 0)
			continue;
		ret->len = (size_t)n;
		ret->text[ret->len] = '\0';
		return 1;
	}
}

const char *uevent_get(const struct uevent *e, const char *key)
{
	size_t key_len = strlen(key);
	size_t at = 0;

	while (at < e->len) {
		const char *field = e->text + at;
		size_t field_len = strnlen(field, e->len - at);

		if (field_len > key_len && field[key_len] == '=' && memcmp(field, key, key_len) == 0)
			return field + key_len + 1;
		at += field_len + 1;
	}
	return NULL;
}

bool uevent_is(const struct uevent *e, const char *key, const char *value)
{
	const char *v = uevent_get(e, key);

	return v && strcmp(v, value) == 0;
}
