/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine offers to a virtual one: acceleration, emulator, firmware, free ports. */
#ifndef MKAPPLIANCE_VM_HOST_H
#define MKAPPLIANCE_VM_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

struct forward; /* vm/domain_xml.h */

/* What a guest of one architecture needs. Borrowed from static memory. */
struct platform {
	const char *arch;	   /* "x86_64": libvirt's name */
	const char *machine;	   /* "q35" */
	const char *emulator;	   /* "qemu-system-x86_64" */
	const char *package;	   /* the Debian package of the emulator */
	const char *firmware_code; /* first pair of files that exists */
	const char *firmware_vars; /* template of the variables: 0 of them set */
};

/*
 * @arch as in the manifest ("x86_64", "arm64"). Says which package is missing when there is no emulator or
 * no firmware (-ENOENT).
 */
int host_platform(const char *arch, struct platform *ret, struct error *err);

/*
 * Makes @p one whose firmware knows Secure Boot: code with SMM, and its matching empty variables. -ENOENT when there is none.
 */
int host_secure_firmware(struct platform *p, struct error *err);

/*
 * Whether hardware virtualisation is real: this processor has it and /dev/kvm may be written. The device
 * alone proves nothing: it can be opened on machines where no guest gets past its boot loader. @ret_why:
 * "KVM", or why not; static memory.
 */
bool host_has_kvm(const char *arch, const char **ret_why);

/* A TCP port of 127.0.0.1 that nobody has at the moment. */
int host_free_port(uint16_t *ret, struct error *err);

/* The same for the host's side of each of @count: no two are alike. */
int host_free_ports(struct forward *forwards, size_t count, struct error *err);

/* -EADDRINUSE with one clear line when somebody has it, -EACCES below 1024 without the right. */
int host_check_port(uint16_t port, struct error *err);

#endif
