/* SPDX-License-Identifier: Apache-2.0 */
/* The partition table: written by libfdisk, read back by a small bounded parser of our own. */
#ifndef MKAPPLIANCE_IMAGE_GPT_H
#define MKAPPLIANCE_IMAGE_GPT_H

#include <stddef.h>
#include <stdint.h>

#include "image/layout.h"
#include "lib/error.h"

#define GPT_PRIMARY_SECTORS 34 /* protective MBR, header, 128 entries */
#define GPT_BACKUP_SECTORS  33

/* Renders the table for a disk of l->size bytes. No clock, no randomness. */
int gpt_build(const struct layout *l, uint8_t primary[GPT_PRIMARY_SECTORS * LAYOUT_SECTOR],
	      uint8_t backup[GPT_BACKUP_SECTORS * LAYOUT_SECTOR], struct error *err);

struct gpt_entry {
	struct guid type;
	struct guid uuid;
	uint64_t offset; /* bytes */
	uint64_t size;
	uint64_t attributes;
	char name[37]; /* ASCII; anything else is refused */
};

struct gpt {
	struct guid disk_guid;
	unsigned count;
	struct gpt_entry entries[128]; /* used ones, in table order */
};

/*
 * Parser of untrusted bytes: protective MBR, both headers, both CRCs, both arrays equal, entries inside the usable range
 * and not overlapping. @primary: the first 34 sectors, @backup: the last 33 of a disk of @disk_size bytes.
 */
int gpt_parse(const uint8_t *primary, const uint8_t *backup, uint64_t disk_size, struct gpt *ret,
	      struct error *err);

/* CRC-32 of UEFI 2.10 section 5.3.2 (the one of Ethernet and zlib). */
uint32_t gpt_crc32(const void *data, size_t len);

#endif
