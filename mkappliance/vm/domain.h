/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running one domain through libvirt, which stays inside domain.c. A domain is transient: it is gone once
 * it ended. Nothing here knows what an appliance is; see vm/machine.h for that.
 */
#ifndef MKAPPLIANCE_VM_DOMAIN_H
#define MKAPPLIANCE_VM_DOMAIN_H

#include <stdbool.h>

#include "lib/error.h"
#include "vm/domain_xml.h"

/* A connection to libvirt with the thread that runs its events. One at a time in a process. */
struct hypervisor;

/*
 * libvirt also logs to standard error unless $LIBVIRT_LOG_OUTPUTS says otherwise, and reads that once, at
 * the latest in a constructor of libguestfs, before main(). So this sets it and starts the program anew,
 * with the same arguments. Call before anything was done; does nothing when the variable is set, and there
 * is only more noise when it cannot.
 */
void hypervisor_silence(void);

/*
 * Connects to @uri; NULL: qemu:///embed below @dir, which needs no daemon. @dir is private to us, outlives
 * the connection and has a short path (libvirt puts Unix sockets there, whose names end at 107 bytes).
 */
int hypervisor_open(const char *uri, const char *dir, struct hypervisor **ret, struct error *err);
/* After every domain was freed. Accepts NULL. */
void hypervisor_close(struct hypervisor *h);

/* How a domain ended. */
enum domain_end {
	DOMAIN_RUNS,
	DOMAIN_SHUT_DOWN, /* the guest switched itself off, or rebooted where that ends it */
	DOMAIN_DESTROYED, /* by us or by somebody at the hypervisor */
	DOMAIN_CRASHED,	  /* qemu itself died */
};

struct domain;

/*
 * Starts a domain from domain_xml(). @on_end is called once, from libvirt's event thread, when it ended; it
 * must neither block nor call back here. What qemu wrote when it fails to start ends up in the message.
 */
int domain_start(struct hypervisor *h, const struct domain_config *c,
		 void (*on_end)(enum domain_end end, void *data), void *data, struct domain **ret,
		 struct error *err);

/*
 * Takes over a domain that an earlier process of ours left running (domain_config.stays). -ENOENT: there is none of that name; where
 * libvirt has just been opened it may take a moment to say so.
 */
int domain_attach(struct hypervisor *h, const char *name, void (*on_end)(enum domain_end end, void *data),
		  void *data, struct domain **ret, struct error *err);

/* The user that its qemu runs as; ours where libvirt does not say one. */
uid_t domain_user(struct domain *d);

/* Presses the power button (ACPI). */
int domain_press_power(struct domain *d, struct error *err);

/* What qemu's monitor answers to @command (of the human monitor protocol); to be freed. */
int domain_ask_monitor(struct domain *d, const char *command, char **ret, struct error *err);

/* Takes the power away. A domain that has ended is no error. */
void domain_destroy(struct domain *d);

/* Lets it run on and forgets it; no call to on_end comes after this. Accepts NULL. */
void domain_leave(struct domain *d);

/* Destroys it when it runs; no call to on_end comes after this. Accepts NULL. */
void domain_free(struct domain *d);

#endif
