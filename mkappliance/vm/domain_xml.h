/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libvirt domain of one appliance (https://libvirt.org/formatdomain.html). Pure: text from values.
 */
#ifndef MKAPPLIANCE_VM_DOMAIN_XML_H
#define MKAPPLIANCE_VM_DOMAIN_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/mem.h"

/* A port of the host's loopback address that leads to one of the guest. */
struct forward {
	uint16_t host;
	uint16_t guest;
};

/* Everything is borrowed; paths are absolute. */
struct domain_config {
	const char *name;     /* unique on the connection */
	bool kvm;	      /* else TCG */
	const char *arch;     /* "x86_64" */
	const char *machine;  /* "q35" */
	const char *emulator; /* the qemu program; NULL: libvirt chooses */
	unsigned memory;      /* MiB */
	unsigned cpus;
	const char *firmware_code;   /* UEFI, mapped read only */
	const char *firmware_vars;   /* this machine's own copy of the variables, mapped read and write */
	const char *image;	     /* raw disk, attached read only, the only thing to boot from */
	const struct strlist *disks; /* raw, written to, behind the image: vdb, vdc, ...; NULL: none */
	const char *console_socket;  /* Unix socket somebody listens on; the serial port connects to it */
	const char *console_file;    /* or a file that it is appended to; the other one is NULL */
	bool nvme;	  /* the image is the first namespace of an NVMe controller, not a virtio disk */
	bool keep_owner;  /* libvirt would give the image to its own user while the domain runs */
	bool stays;	  /* goes on when we are gone; vm/members.h finds it again */
	bool reboot_ends; /* a reboot of the guest ends the domain */
	bool secure_boot; /* firmware_code is one with SMM, which keeps its keys from the guest */
	bool tpm;	  /* a TPM 2.0 of software (swtpm), new with each start */
	const struct forward *forwards;
	size_t forward_count;
};

/* To be freed. All names and paths are ones that XML can hold (xml_can_hold()). */
char *domain_xml(const struct domain_config *c);

#endif
