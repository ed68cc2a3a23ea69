/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can happen at any time in stage 2: a request to stop, a child that ended, a corrupted block, a failed read, and
 * whatever the sources wait for. One poll() for all.
 */
#ifndef FIRSTBOOT_EVENTS_H
#define FIRSTBOOT_EVENTS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTS_EXTRA_MAX 16
#define EVENTS_POLL_MAX	 128 /* descriptors of all sources */

struct events {
	int signal_fd;
	int uevent_fd;
	int button_fd;	  /* -1: this machine has no ACPI */
	const char *stop; /* why the machine shall stop, a reason of "stopping"; NULL: it need not */
	struct event_source *sources;
};

/*
 * A part of the init that waits for descriptors and for points in time of its own. In each round of the loop it is asked what
 * for, and then does what is due, without waiting: a step that finds nothing to do is the usual case.
 */
struct event_source {
	/* Fills at most @max of @p and returns how many. A negative fd is left out. */
	size_t (*poll)(struct pollfd *p, size_t max);
	uint64_t (*deadline)(void); /* by clock_ms(); UINT64_MAX: none */
	void (*step)(void);
	struct event_source *next;
};

/* All signals must be blocked. Fails the boot when there is no signalfd. */
void events_open(struct events *e, int uevent_fd);

/* From now on @s is part of every round. */
void events_add(struct events *e, struct event_source *s);

/* One round: waits until something of all this happens, then each source has its step. */
void events_round(struct events *e);

/*
 * For those who wait before the loop begins: until one of @extra is ready (its revents are set), something of the above happened,
 * or the clock reaches @deadline (milliseconds, UINT64_MAX: never). At most EVENTS_EXTRA_MAX; a negative fd is left out. The
 * sources are not asked. Children are reaped.
 */
void events_wait(struct events *e, struct pollfd *extra, size_t count, uint64_t deadline);

#endif
