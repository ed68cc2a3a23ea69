/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PE/COFF as far as a Unified Kernel Image needs it: sections of the systemd-stub plus .osrel, .cmdline, .uname, .linux and
 * .initrd (UAPI group, Unified Kernel Image specification; Microsoft PE Format; UEFI 2.10 section 2.1.1).
 */
#ifndef MKAPPLIANCE_IMAGE_PE_H
#define MKAPPLIANCE_IMAGE_PE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/mem.h"

#define PE_MAX_SECTIONS 64

struct pe_section {
	char name[9];
	uint32_t virtual_address;
	uint32_t virtual_size;  /* the meaningful bytes */
	uint32_t file_offset;
	uint32_t file_size;     /* with padding */
	uint32_t flags;
};

struct pe {
	const uint8_t *data; /* borrowed */
	size_t len;
	uint16_t machine;        /* 0x8664, 0xaa64 */
	uint32_t header_offset;  /* of "PE\0\0" */
	uint32_t section_align;
	uint32_t file_align;
	uint32_t size_of_headers;
	uint32_t section_table;  /* file offset */
	unsigned section_count;
	struct pe_section sections[PE_MAX_SECTIONS];
};

/* Parser of untrusted bytes: every offset and length lies within @len afterwards, sections do not overlap in the file nor in memory. */
int pe_parse(const void *data, size_t len, const char *name, struct pe *ret, struct error *err);

/* NULL when there is none. */
const struct pe_section *pe_find(const struct pe *pe, const char *name);

struct pe_addition {
	const char *name; /* at most 8 bytes */
	const void *data;
	size_t len;
};

/*
 * The stub with sections added behind its own, in the order given. Deterministic: no time stamp, checksum 0. Appends to @out.
 * Fails when the section table has no room or the stub already has a section of that name.
 */
int pe_add_sections(const struct pe *stub, const struct pe_addition *add, size_t count, struct buf *out,
		    struct error *err);

#endif
