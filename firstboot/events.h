/* SPDX-License-Identifier: Apache-2.0 */
/* What can happen at any time in stage 2: a request to stop, a child that ended, a corrupted block, a failed read. One
 * poll() for all. */
#ifndef FIRSTBOOT_EVENTS_H
#define FIRSTBOOT_EVENTS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTS_EXTRA_MAX 16

struct events {
	int signal_fd;
	int uevent_fd;
	int button_fd;	  /* -1: this machine has no ACPI */
	const char *stop; /* why the machine shall stop, a reason of "stopping"; NULL: it need not */
	bool child;	  /* SIGCHLD came; whoever reaps takes it back */
};

/* All signals must be blocked. Fails the boot when there is no signalfd. */
void events_open(struct events *e, int uevent_fd);

/*
 * Waits until one of @extra is ready (its revents are set), something of the above happened, or the clock
 * reaches @deadline (milliseconds, UINT64_MAX: never). At most EVENTS_EXTRA_MAX; a negative fd is left out.
 */
void events_wait(struct events *e, struct pollfd *extra, size_t count, uint64_t deadline);

#endif
