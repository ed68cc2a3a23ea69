/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A boot entry in the firmware's variable store, as somebody with hands on the machine would set it.
 * Boot entries: UEFI 2.10, sections 3.1.3 and 10.3; the store: image/efi_vars.h.
 */
#ifndef MKAPPLIANCE_VM_NVRAM_H
#define MKAPPLIANCE_VM_NVRAM_H

#include <stddef.h>
#include <stdint.h>

#include "image/layout.h"
#include "lib/error.h"

struct nvram_entry {
	const struct partition *esp;
	unsigned number;     /* of the partition, from 1 */
	const char *file;    /* "\\EFI\\BOOT\\BOOTX64.EFI" */
	const char *options; /* command line handed to it; ASCII */
};

/*
 * Puts Boot0000 and BootOrder into the store @store of @len bytes, which must be one without variables.
 * Every length read from it is checked.
 */
int nvram_add_entry(uint8_t *store, size_t len, const struct nvram_entry *e, struct error *err);

#endif
