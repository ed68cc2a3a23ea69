/* SPDX-License-Identifier: Apache-2.0 */
/* A tiny PE32+ file for the tests: 0x400 bytes of headers, then .text, .sdmagic and a .bss that the file does not hold. */
#ifndef MKAPPLIANCE_TESTS_PE_SAMPLE_H
#define MKAPPLIANCE_TESTS_PE_SAMPLE_H

#include <endian.h>
#include <string.h>

#include "image/pe.h"
#include "image/pe_format.h"
#include "lib/mem.h"

#define SAMPLE_PE_AT	  0x80u
#define SAMPLE_OPTIONAL	  (SAMPLE_PE_AT + sizeof(struct pe_coff))
#define SAMPLE_DIRECTORY  (SAMPLE_OPTIONAL + sizeof(struct pe_optional))
#define SAMPLE_TABLE	  (SAMPLE_DIRECTORY + 16 * sizeof(struct pe_directory))
#define SAMPLE_HEADERS	  0x400u
#define SAMPLE_SECTIONS	  3u
#define SAMPLE_SIZE	  0x800u
#define SAMPLE_IMAGE_SIZE 0x3000u

#define SAMPLE_STUB_MAGIC "#### LoaderInfo: systemd-stub 252 ####"

static inline void sample_section(uint8_t *pe, unsigned index, const char *name, uint32_t address,
				  uint32_t size, uint32_t file_at, uint32_t file_size)
{
	struct pe_raw_section s = {
		.virtual_size = htole32(size),
		.virtual_address = htole32(address),
		.file_size = htole32(file_size),
		.file_offset = htole32(file_at),
		.flags = htole32(0x60000020),
	};

	memcpy(s.name, name, strlen(name));
	memcpy(pe + SAMPLE_TABLE + index * sizeof(s), &s, sizeof(s));
}

/* SAMPLE_SIZE bytes, to be freed. @magic is the content of .sdmagic. */
static inline uint8_t *sample_pe(uint16_t machine, uint16_t subsystem, const char *magic)
{
	uint8_t *pe = xcalloc(1, SAMPLE_SIZE);
	const struct pe_coff coff = {
		.signature = PE_SIGNATURE,
		.machine = htole16(machine),
		.section_count = htole16(SAMPLE_SECTIONS),
		.time_stamp = htole32(1700000000),
		.symbol_table = htole32(SAMPLE_SIZE),
		.symbol_count = htole32(1),
		.optional_size = htole16(sizeof(struct pe_optional) + 16 * sizeof(struct pe_directory)),
		.characteristics = htole16(0x206),
	};
	const struct pe_optional optional = {
		.magic = htole16(PE_OPTIONAL_MAGIC),
		.size_of_code = htole32(0x200),
		.size_of_initialized_data = htole32(0x200),
		.entry_point = htole32(0x1000),
		.base_of_code = htole32(0x1000),
		.section_align = htole32(0x200),
		.file_align = htole32(0x200),
		.size_of_image = htole32(SAMPLE_IMAGE_SIZE),
		.size_of_headers = htole32(SAMPLE_HEADERS),
		.checksum = htole32(0x12345678),
		.subsystem = htole16(subsystem),
		.directory_count = htole32(16),
	};
	const struct pe_directory certificates = {.address = htole32(SAMPLE_SIZE), .size = htole32(8)};
	const uint32_t at = htole32(SAMPLE_PE_AT);

	memcpy(pe, "MZ", 2);
	memcpy(pe + PE_DOS_HEADER_AT, &at, sizeof(at));
	memcpy(pe + SAMPLE_PE_AT, &coff, sizeof(coff));
	memcpy(pe + SAMPLE_OPTIONAL, &optional, sizeof(optional));
	memcpy(pe + SAMPLE_DIRECTORY + PE_DIRECTORY_CERTIFICATES * sizeof(certificates), &certificates,
	       sizeof(certificates));
	sample_section(pe, 0, ".text", 0x1000, 0x180, 0x400, 0x200);
	sample_section(pe, 1, ".sdmagic", 0x2000, (uint32_t)strlen(magic), 0x600, 0x200);
	sample_section(pe, 2, ".bss", 0x2200, 0xe00, 0, 0);
	memset(pe + 0x400, 0xcc, 0x180);
	memcpy(pe + 0x600, magic, strlen(magic));
	return pe;
}

#endif
