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

	pid_t caller;	   /* thread whose child qemu is */
	pthread_t thread;  /* the watch */
	bool watched;	   /* it runs */
	int stop[2];	   /* pipe: ends it */
	_Atomic pid_t pid; /* of qemu; not above 0: not known yet */
	_Atomic bool full; /* it was killed because the disk is */
};

/* What of libguestfs failed, or why the watch made it fail. */
int guest_error(struct guest *g, const char *what, struct error *err);

#if defined(__aarch64__)
#define HOST_ARCH "aarch64"
#define HOST_QEMU "qemu-system-arm"
#else
#define HOST_ARCH "x86_64"
#define HOST_QEMU "qemu-system-x86"
#endif

#endif
