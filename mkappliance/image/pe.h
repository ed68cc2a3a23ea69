/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PE/COFF as far as a Unified Kernel Image needs it: sections of the systemd-stub plus .osrel, .cmdline,
 * .uname, .linux and .initrd (UAPI group, Unified Kernel Image specification; Microsoft PE Format; UEFI 2.10
 * section 2.1.1).
 */
#ifndef MKAPPLIANCE_IMAGE_PE_H
#define MKAPPLIANCE_IMAGE_PE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/mem.h"

#define PE_MAX_SECTIONS 64

#define PE_MACHINE_X86_64 0x8664u
#define PE_MACHINE_ARM64  0xaa64u

#define PE_SUBSYSTEM_EFI_APPLICATION 10u

struct pe_section {
	char name[9]; /* printable ASCII */
	uint32_t virtual_address;
	uint32_t virtual_size; /* in memory; what the file does not hold of it is zero */
	uint32_t file_offset;
	uint32_t file_size; /* with padding */
	uint32_t data_size; /* meaningful bytes in the file: the smaller of virtual_size and file_size */
	uint32_t flags;
};

struct pe {
	const uint8_t *data; /* borrowed */
	size_t len;
	uint16_t machine; /* PE_MACHINE_... */
	uint16_t subsystem;
	uint32_t header_offset; /* of "PE\0\0" */
	uint32_t section_align;
	uint32_t file_align;
	uint32_t size_of_headers;
	uint32_t size_of_image;
	uint32_t section_table; /* file offset */
	unsigned section_count;
	struct pe_section sections[PE_MAX_SECTIONS];
};

/*
 * Parser of untrusted bytes, PE32+ only. Afterwards the headers and every section's [file_offset, file_offset
 * + file_size) lie within @len, names differ, and sections overlap neither in the file nor in memory. Not so:
 * -EBADMSG. @name is for messages.
 */
int pe_parse(const void *data, size_t len, const char *name, struct pe *ret, struct error *err);

/* NULL when there is none. */
const struct pe_section *pe_find(const struct pe *pe, const char *name);

/* The data_size bytes of a section; borrowed. */
const uint8_t *pe_section_data(const struct pe *pe, const struct pe_section *s);

struct pe_addition {
	const char *name; /* at most 8 bytes */
	const void *data;
	size_t len; /* not 0 */
};

/*
 * The stub with sections of initialised read-only data added behind its own, in the order given.
 * Deterministic: no time stamp, checksum 0. What lies behind the stub's last section (symbols, a signature,
 * which would not hold anyway) is left out. Appends to @out. Fails when the section table has no room or the
 * stub already has a section of that name.
 */
int pe_add_sections(const struct pe *stub, const struct pe_addition *add, size_t count, struct buf *out,
		    struct error *err);

#endif
