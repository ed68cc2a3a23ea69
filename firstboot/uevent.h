/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's uevents from a NETLINK_KOBJECT_UEVENT socket. */
#ifndef FIRSTBOOT_UEVENT_H
#define FIRSTBOOT_UEVENT_H

#include <stdbool.h>
#include <stddef.h>

/* "ACTION@DEVPATH\0KEY=value\0KEY=value\0...": the kernel's are 2 KiB at most. */
struct uevent {
	char text[4096];
	size_t len;
};

/* A non-blocking socket, or -errno. */
int uevent_open(void);

/* 1: *ret is the next one; 0: none now; -ENOBUFS: some were lost; other -errno. Messages not from the kernel
 * are skipped. */
int uevent_receive(int fd, struct uevent *ret);

/* The value of @key, NULL when there is none. */
const char *uevent_get(const struct uevent *e, const char *key);
bool uevent_is(const struct uevent *e, const char *key, const char *value);

#endif
