/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt of a probe: HTTP GET or TCP connect to 127.0.0.1, without blocking. */
#ifndef FIRSTBOOT_PROBE_H
#define FIRSTBOOT_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct probe {
	int fd;		   /* -1 between attempts */
	short events;	   /* to poll for */
	uint64_t deadline; /* of the attempt, ms of clock_ms() */
	bool was_slow;	   /* the last one failed because its time was over */
	size_t len;
	char answer[12]; /* "HTTP/1.1 200" */
};

struct probe_target {
	uint16_t port;
	const char *path; /* at most ABI_READY_PATH_MAX bytes; NULL: TCP, a connection is enough */
};

enum probe_result { PROBE_PENDING, PROBE_GOOD, PROBE_BAD };

void probe_init(struct probe *p);

/* Begins an attempt that may take @limit ms. */
void probe_begin(struct probe *p, const struct probe_target *t, uint64_t limit);
/* To be called when p->fd is ready for p->events or p->deadline is over. Anything but PROBE_PENDING ends the attempt. */
enum probe_result probe_check(struct probe *p, const struct probe_target *t);
bool probe_runs(const struct probe *p);
void probe_close(struct probe *p);

/* The status code in "HTTP/1.x NNN"; 0 when that is not what @text begins with. Pure. */
unsigned probe_status(const char *text, size_t len);

#endif
