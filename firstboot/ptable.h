/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a GPT (UEFI specification 2.10, section 5.3) for one purpose: the PARTUUIDs that kernels before 6.9
 * do not tell in uevents. Pure; the bytes are not trusted. A wrong answer cannot do harm, since dm-verity
 * checks what lies behind it.
 */
#ifndef FIRSTBOOT_PTABLE_H
#define FIRSTBOOT_PTABLE_H

#include <stddef.h>
#include <stdint.h>

#define PTABLE_UUID_TEXT   37	       /* with the NUL */
#define PTABLE_ENTRIES_MAX (32 * 1024) /* bytes of the array that we read */
#define PTABLE_SECTOR_MAX  4096

struct ptable {
	uint64_t entries_lba;
	uint32_t entry_count;
	uint32_t entry_size;
	uint32_t entries_crc;
};

/* The header in @sector, read from @lba. -EINVAL when it is not one or is damaged, -EFBIG when its array is
 * too big for us. */
int ptable_header(const uint8_t *sector, size_t len, uint64_t lba, struct ptable *ret);

/* Whether the CRC of the array @entries of entry_count * entry_size bytes is right. */
int ptable_check(const struct ptable *t, const uint8_t *entries, size_t len);

/* Partition @number, counted from 1: its PARTUUID in lower case and first sector. -ENOENT when there is none.
 */
int ptable_partition(const struct ptable *t, const uint8_t *entries, size_t len, uint64_t number,
		     char ret_uuid[PTABLE_UUID_TEXT], uint64_t *ret_first_lba);

#endif
