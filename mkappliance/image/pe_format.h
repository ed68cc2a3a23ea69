/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PE32+ as it lies in the file (Microsoft PE Format, "File Headers"). All numbers are little endian; only
 * pe*.c and their tests include this.
 */
#ifndef MKAPPLIANCE_IMAGE_PE_FORMAT_H
#define MKAPPLIANCE_IMAGE_PE_FORMAT_H

#include <stdint.h>

#define PE_DOS_SIZE		  64u
#define PE_DOS_HEADER_AT	  0x3cu	 /* uint32_t: file offset of struct pe_coff */
#define PE_SIGNATURE		  "PE\0" /* and the closing 0 */
#define PE_OPTIONAL_MAGIC	  0x20bu
#define PE_MAX_DIRECTORIES	  16u
#define PE_DIRECTORY_CERTIFICATES 4u

#define PE_SECTION_INITIALIZED_DATA 0x00000040u
#define PE_SECTION_READ		    0x40000000u

struct pe_coff {
	char signature[4];
	uint16_t machine;
	uint16_t section_count;
	uint32_t time_stamp;
	uint32_t symbol_table;
	uint32_t symbol_count;
	uint16_t optional_size;
	uint16_t characteristics;
} __attribute__((packed));
_Static_assert(sizeof(struct pe_coff) == 24, "PE signature and COFF header");

/* Follows struct pe_coff; behind it the data directories, then (at optional_size) the section table. */
struct pe_optional {
	uint16_t magic;
	uint8_t linker_version[2];
	uint32_t size_of_code;
	uint32_t size_of_initialized_data;
	uint32_t size_of_uninitialized_data;
	uint32_t entry_point;
	uint32_t base_of_code;
	uint64_t image_base;
	uint32_t section_align;
	uint32_t file_align;
	uint16_t versions[6];
	uint32_t win32_version;
	uint32_t size_of_image;
	uint32_t size_of_headers;
	uint32_t checksum;
	uint16_t subsystem;
	uint16_t dll_characteristics;
	uint64_t stack_and_heap[4];
	uint32_t loader_flags;
	uint32_t directory_count;
} __attribute__((packed));
_Static_assert(sizeof(struct pe_optional) == 112, "PE32+ optional header");

struct pe_directory {
	uint32_t address;
	uint32_t size;
} __attribute__((packed));
_Static_assert(sizeof(struct pe_directory) == 8, "PE data directory");

struct pe_raw_section {
	char name[8];
	uint32_t virtual_size;
	uint32_t virtual_address;
	uint32_t file_size;
	uint32_t file_offset;
	uint32_t relocations;
	uint32_t line_numbers;
	uint16_t relocation_count;
	uint16_t line_number_count;
	uint32_t flags;
} __attribute__((packed));
_Static_assert(sizeof(struct pe_raw_section) == 40, "PE section header");

#endif
