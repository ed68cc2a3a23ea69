/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The EFI System Partition: FAT32 (Microsoft FAT specification 1.03) with one file, the UKI, in contiguous
 * clusters.
 *
 * Clusters are of 512 bytes up to 260 MiB, of 4096 bytes above: the specification's own table. Larger ones
 * would leave an ESP of 64 MiB with fewer than the 65525 clusters that make it FAT32. The file begins on a
 * multiple of 4096 bytes.
 */
#ifndef MKAPPLIANCE_IMAGE_ESP_H
#define MKAPPLIANCE_IMAGE_ESP_H

#include <stddef.h>
#include <stdint.h>

#include "image/extent.h"
#include "lib/error.h"
#include "template/template.h"

struct esp_params {
	uint64_t offset; /* of the partition on the disk, for the hidden sectors field */
	uint64_t size;	 /* bytes; 64 MiB to 8 GiB */
	uint32_t volume_id;
	const char *file_name; /* "BOOTX64.EFI": 8.3, upper case; lies in /EFI/BOOT */
	const void *file;      /* borrowed as long as the result lives */
	size_t file_len;       /* not 0, under 4 GiB */
	int64_t epoch;	       /* times of the entries (UTC), moved into what FAT knows: 1980 to 2107 */
};

struct esp {
	struct extent_list extents;
	void *memory;  /* metadata */
	uint64_t used; /* bytes from the start to the end of the file's last cluster; the rest is free */
};

/*
 * Bytes of the smallest ESP (whole MiB, at least 64 MiB) that holds a file of @file_len bytes (esp_build()
 * refuses 4 GiB and more).
 */
uint64_t esp_size_for(uint64_t file_len);

int esp_build(const struct esp_params *p, struct esp *ret, struct error *err);
void esp_free(struct esp *e);

/* "BOOTX64.EFI", "BOOTAA64.EFI" */
const char *esp_boot_file_name(enum architecture arch);

/*
 * Reader of untrusted bytes: finds /EFI/BOOT/@file_name in the FAT32 of @size bytes at @offset of @fd and
 * reads it (at most @limit bytes), to be freed. A file system that does not hold together, or without the
 * file, is -EBADMSG (error_refuse()); what the reading itself says (-EIO, -ENODATA) passes through. @name is
 * for messages.
 */
int esp_read_file(int fd, const char *name, uint64_t offset, uint64_t size, const char *file_name,
		  size_t limit, void **ret, size_t *ret_len, struct error *err);

#endif
