/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual machines of a local group. They go on when the process that started them is gone, even killed, and are found again by the
 * next one: qemu_embed's own state lies in the group's directory, and so does what a machine needs.
 *
 *   DIR/v/               root of the embedded libvirt
 *   DIR/m/ID/member      "PORT HEALTH-PORT IMAGE": written before the machine is started
 *   DIR/m/ID/started     once it runs: without it, its start was broken off and does not count
 *   DIR/m/ID/vars.fd     its firmware variables
 *   DIR/m/ID/console     what it wrote to its console; begun anew when it has CONSOLE_MAX bytes
 *
 * One process at a time has a directory: the caller holds a lock.
 */
#ifndef MKAPPLIANCE_VM_MEMBERS_H
#define MKAPPLIANCE_VM_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "vm/witness.h"

#define MEMBER_ID_SIZE	  48
#define MEMBER_IMAGE_SIZE 80
#define MEMBERS_PATH_MAX  66 /* bytes of DIR: the longest socket of libvirt below it then stays under 108 */

struct members;

struct members_config {
	const char *dir;   /* absolute */
	const char *uri;   /* of libvirt; NULL: the embedded one */
	const char *group; /* part of the machines' names on a libvirt that others use too */
	const char *arch;  /* as in the manifest */
};

/* What a machine is started from. */
struct member_launch {
	const char *id;	   /* a file name */
	const char *image; /* the id of the image, kept with the machine */
	const char *path;  /* of the image, absolute */
	unsigned memory;   /* MiB */
	unsigned cpus;
	bool nvme;     /* see domain_xml.h */
	uint16_t port; /* of the guest, for clients; a free port of 127.0.0.1 leads there */
	uint16_t health_port;
};

struct member {
	char id[MEMBER_ID_SIZE];
	char image[MEMBER_IMAGE_SIZE];
	uint16_t port; /* of 127.0.0.1 */
	uint16_t health_port;
	struct machine_status status; /* SEEN_END: its domain is gone */
};

/* Connects, and takes over what runs. Call before there are threads. */
int members_open(const struct members_config *c, struct members **ret, struct error *err);
/* Lets all of them run on. Accepts NULL. */
void members_close(struct members *m);

/* Reads what the consoles said since, and who has ended. */
void members_look(struct members *m);
size_t members_count(const struct members *m);
/* Borrowed until the next launch or removal; their order may change with these. */
const struct member *members_get(const struct members *m, size_t i);
const struct member *members_find(const struct members *m, const char *id);
/* The last lines of its console. */
void members_tail(const struct members *m, const char *id, size_t max, struct strlist *ret);

/* 0 for one that is there. On failure nothing of it is left. */
int members_launch(struct members *m, const struct member_launch *l, struct error *err);
/* Presses the power button; of one that is not there or has ended: nothing. Again only after a while. */
void members_press_power(struct members *m, const char *id);
/* Takes the power away, as a failure of the host would: it is listed as ended. */
void members_strike(struct members *m, const char *id);
/* Ends it where it runs, and removes all it had. */
int members_remove(struct members *m, const char *id, struct error *err);

#endif
