/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual machine that runs an appliance: a domain, its firmware variables, its console and what was seen
 * of both. A machine is watched by one thread; several may run at once.
 */
#ifndef MKAPPLIANCE_VM_MACHINE_H
#define MKAPPLIANCE_VM_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/mem.h"
#include "vm/console.h"
#include "vm/domain.h"
#include "vm/host.h"
#include "vm/witness.h"
#include "vm/workdir.h"

/* What machines are started with: a directory, a connection, a platform. One in a process. */
struct machine_host {
	struct workdir dir;
	struct hypervisor *hypervisor;
	struct platform platform;
	bool kvm;
	const char *accel; /* "KVM", or "TCG: " and why */
	bool shared;	   /* any --connect: another user's qemu must get at the directory */
	bool system;	   /* of those a system connection, which changes owners of images */
	bool tpm;	   /* machines have one */
	bool secure_boot;  /* machines start only what the keys in their variables vouch for */
	char *vars;	   /* firmware variables that machines start from; owned */
};

/*
 * Call before there are threads. @uri: NULL for the embedded driver; @arch as in the manifest. Emptied by
 * machine_host_close().
 */
int machine_host_open(const char *uri, const char *arch, struct machine_host *ret, struct error *err);
/*
 * What machines have only when it is asked for: firmware with Secure Boot on and the keys of @secure_boot (a directory of 'mkappliance
 * keygen'; NULL: without), and a TPM. -ENOENT when firmware or emulator is not installed.
 */
int machine_host_equip(struct machine_host *h, const char *secure_boot, bool tpm, struct error *err);
void machine_host_close(struct machine_host *h);
#define _cleanup_machine_host_ __attribute__((cleanup(machine_host_close)))
#define MACHINE_HOST_INIT      ((struct machine_host){.dir = WORKDIR_INIT})

struct machine_config {
	const char *image;	     /* absolute */
	const struct strlist *disks; /* from data_disks_open(); NULL: none */
	unsigned memory;	     /* MiB */
	unsigned cpus;
	bool nvme; /* what the image is plugged into, see domain_xml.h */
	const struct forward *forwards;
	size_t forward_count;
	bool reboot_ends;
	const char *vars;	  /* firmware variables to start from; NULL: the host's */
	const char *capture_path; /* file that gets the console's bytes as they are; NULL: none */
	/*
	 * Each line as it comes, from the machine's own thread, which must not ask the machine anything;
	 * may be NULL.
	 */
	void (*on_line)(const struct console_line *line, void *data);
	void *data;
};

struct machine;

int machine_start(struct machine_host *h, const struct machine_config *c, struct machine **ret,
		  struct error *err);

/*
 * Waits until one of the bits of @mask was seen, or the end. 0; -ETIMEDOUT past @deadline (CLOCK_MONOTONIC,
 * nanoseconds); -EINTR on Ctrl-C. The message of either says what was waited for: @what.
 */
int machine_wait(struct machine *m, unsigned mask, uint64_t deadline, const char *what, struct error *err);

struct machine_status machine_status(struct machine *m);

/* The last console lines, see console_tail(). */
void machine_tail(struct machine *m, size_t max, struct strlist *ret);

/* Whether the guest accepted a TCP connection to the forwarded port: qemu alone accepting it says nothing. */
bool machine_accepted(struct machine *m, uint16_t host_port);

/* 0 too when it ends by itself at this moment. */
int machine_press_power(struct machine *m, struct error *err);

/* Takes the power away when it still runs, and all it had. Accepts NULL. */
void machine_free(struct machine *m);
void machine_freep(struct machine **m);
#define _cleanup_machine_ __attribute__((cleanup(machine_freep)))

#endif
