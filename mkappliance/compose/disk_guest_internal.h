/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files disk_guest*.c. */
#ifndef MKAPPLIANCE_COMPOSE_DISK_GUEST_INTERNAL_H
#define MKAPPLIANCE_COMPOSE_DISK_GUEST_INTERNAL_H

#include <guestfs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "compose/disk_guest.h"

struct guest {
	guestfs_h *handle;
	char *dir;  /* on the host: overlay, and what goes in and out */
	char *work; /* in the guest: our own files; NULL until guest_make_dir() */
	bool network;

	pid_t caller;	    /* thread whose child qemu is */
	pthread_t thread;   /* the watch */
	bool watched;	    /* it runs */
	int stop[2];	    /* pipe: ends it */
	_Atomic pid_t pid;  /* of qemu; not above 0: not known yet */
	_Atomic bool full;  /* it was killed because the disk is */
	unsigned limit_s;   /* within which it must have started */
	_Atomic bool late;  /* it was killed because it had not */
	struct buf console; /* the last that it printed */
};

/* Environment: seconds for the appliance's start. */
#define GUEST_START_ENV "MKAPPLIANCE_LIBGUESTFS_TIMEOUT"

/* What of libguestfs failed, or why the watch made it fail, or that the appliance's kernel gave up. */
int guest_error(struct guest *g, const char *what, struct error *err);

/*
 * From here on the appliance's qemu is killed on a signal, when the disk below g->dir is full, and when it has not
 * started (g->pid is not set) in g->limit_s. What it prints is kept. To be called before guestfs_launch(), by its thread.
 */
int guest_watch_start(struct guest *g, struct error *err);
void guest_watch_stop(struct guest *g);

#if defined(__aarch64__)
#define HOST_ARCH "aarch64"
#define HOST_QEMU "qemu-system-arm"
#else
#define HOST_ARCH "x86_64"
#define HOST_QEMU "qemu-system-x86"
#endif

#endif
