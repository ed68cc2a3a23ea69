/* SPDX-License-Identifier: Apache-2.0 */
/* The readiness probe: HTTP GET or TCP connect to 127.0.0.1, without blocking. */
#ifndef FIRSTBOOT_PROBE_H
#define FIRSTBOOT_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"

struct probe {
	int fd;		   /* -1 between attempts */
	short events;	   /* to poll for */
	uint64_t deadline; /* of the attempt, or when the next one starts */
	uint64_t interval; /* ms until the one after */
	size_t len;
	char answer[12]; /* "HTTP/1.1 200" */
};

void probe_init(struct probe *p);

/* To be called when p->fd is ready for p->events or p->deadline is over. True: it answers. */
bool probe_step(struct probe *p, const struct conf_service *c);
void probe_close(struct probe *p);

/* The status code in "HTTP/1.x NNN"; 0 when that is not what @text begins with. Pure. */
unsigned probe_status(const char *text, size_t len);

#endif
