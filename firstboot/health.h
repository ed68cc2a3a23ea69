/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a service is ready, and whether it still is: probes of a port, a file that appears, and what it says by
 * sd_notify. Nothing here waits.
 */
#ifndef FIRSTBOOT_HEALTH_H
#define FIRSTBOOT_HEALTH_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "line.h"
#include "probe.h"

#define HEALTH_FDS_MAX 2

struct health {
	struct probe probe;
	int notify_fd;	   /* -1: the service does not speak */
	unsigned said;	   /* bits of enum notify_said */
	uint64_t next;	   /* when the next attempt is due, ms of clock_ms() */
	uint64_t pause;	   /* between attempts before it is ready; grows */
	uint64_t limit;	   /* for one such attempt; grows */
	uint64_t alive;	   /* the last sign of life by sd_notify */
	unsigned failures; /* of Watch=, one after the other */
	bool watching;
};

void health_init(struct health *h);

/* Before the service starts: its socket, where it has one. 0 or -errno. */
int health_begin(struct health *h, const struct conf_service *c);

/* Whether there is anything to wait for before it counts as ready. */
bool health_has_ready(const struct conf_service *c);

/* A step on the way there: true when it is ready. */
bool health_ready(struct health *h, const struct conf_service *c);

/* What never came, for a message. */
const char *health_missing(const struct conf_service *c);

/* From now on Watch= counts. */
void health_watch_begin(struct health *h, const struct conf_service *c);

/* A step of Watch=: true when it has failed often enough; @why then says how. */
bool health_watch(struct health *h, const struct conf_service *c, struct line *why);

/* When the next step is due; UINT64_MAX: only when a descriptor is ready. */
uint64_t health_deadline(const struct health *h, const struct conf_service *c);
/* Fills HEALTH_FDS_MAX elements. */
void health_poll(const struct health *h, struct pollfd *p);

/* Probes no more. */
void health_pause(struct health *h);
/* The same, and the socket goes. */
void health_end(struct health *h);

/* "NAME=value" for the environment of the service, valid until the next call; NULL: none. @index: 0, 1. */
#define HEALTH_ENV_MAX 2
const char *health_env(const struct conf_service *c, unsigned index);

#endif
