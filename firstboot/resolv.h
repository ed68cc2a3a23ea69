/* SPDX-License-Identifier: Apache-2.0 */
/* The resolver's configuration: /run/resolv.conf, visible as the root's /etc/resolv.conf. */
#ifndef FIRSTBOOT_RESOLV_H
#define FIRSTBOOT_RESOLV_H

#include <stdint.h>

#include "line.h"

#define RESOLV_SERVERS_MAX 3 /* more the C libraries do not ask */

struct resolv {
	struct line servers; /* whole lines */
	struct line search;  /* domains, a blank before each */
	unsigned count;
};

/* Each adds one, unless it is there already or there is no room. @address as text. */
void resolv_server(struct resolv *r, const char *address);
/* Domains with blanks between them. */
void resolv_search(struct resolv *r, const char *domains);

/*
 * Writes /run/resolv.conf. 0 or -errno. Where the root has an /etc/resolv.conf it shows that: by a bind mount
 * over a file, or, when it is a link into /run, by making what the link points to.
 */
int resolv_write(const struct resolv *r);

#endif
