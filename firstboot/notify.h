/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sd_notify(3) from the service's side: datagrams of lines on the socket in $NOTIFY_SOCKET. Known are READY=1, STOPPING=1
 * and WATCHDOG=1; everything else is passed over.
 */
#ifndef FIRSTBOOT_NOTIFY_H
#define FIRSTBOOT_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "line.h"

enum notify_said { NOTIFY_READY = 1 << 0, NOTIFY_STOPPING = 1 << 1, NOTIFY_WATCHDOG = 1 << 2 };

#define NOTIFY_DIRECTORY "/run/notify" /* only the service's user may write to its socket there */

/* A non-blocking socket for service @name; @uid may write to it. -errno. */
int notify_open(const char *name, uid_t uid, gid_t gid);

/* Everything that waits on @fd: bits of enum notify_said. */
unsigned notify_read(int fd);

/* The same of one datagram. Pure. */
unsigned notify_parse(const char *text, size_t len);

#endif
