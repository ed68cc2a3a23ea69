/* SPDX-License-Identifier: Apache-2.0 */
/* The Unified Kernel Image of an appliance: stub + kernel + command line + initrd. */
#ifndef MKAPPLIANCE_IMAGE_UKI_H
#define MKAPPLIANCE_IMAGE_UKI_H

#include "compose/compose.h"
#include "lib/error.h"
#include "lib/mem.h"

/* Longer ones are cut by the kernel (COMMAND_LINE_SIZE is 2048 on x86-64 and arm64, with the closing 0). */
#define UKI_COMMAND_LINE_MAX 2047u

struct uki_params {
	const char *stub_path;	/* of linuxx64.efi.stub */
	const char *os_release; /* content of .osrel */
	const char
		*command_line; /* content of .cmdline: printable ASCII, not empty, no space at either end */
	const struct kernel *kernel;
	const void *initrd;
	size_t initrd_len;
};

/*
 * Appends to @ret. @ret_stub_digest: SHA-256 of the stub, for the manifest. The stub's machine must be the
 * kernel's. A missing stub is -ENOENT with the package that has it.
 */
int uki_build(const struct uki_params *p, struct buf *ret, struct sha256 *ret_stub_digest, struct error *err);

/* Writes another initrd of the same length over the one in @uki, which uki_build() made. */
int uki_replace_initrd(struct buf *uki, const void *initrd, size_t len, struct error *err);

#endif
