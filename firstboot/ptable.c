/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "ptable.h"

#define HEADER_SIZE_MIN 92u
#define ENTRY_SIZE_MIN	128u

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t le64(const uint8_t *p)
{
	return (uint64_t)le32(p) | (uint64_t)le32(p + 4) << 32;
}

/* CRC-32 as in ISO 3309, four bits at a time: 16 KiB are read once. @zero_at: four bytes from here count as 0. */
static uint32_t crc32(const uint8_t *p, size_t len, size_t zero_at)
{
	/* What the polynomial 0xedb88320 makes of four bits. */
	static const uint32_t of[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
					0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
					0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
					0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= i >= zero_at && i - zero_at < 4 ? 0 : p[i];
		crc = crc >> 4 ^ of[crc & 15];
		crc = crc >> 4 ^ of[crc & 15];
	}
	return ~crc;
}

int ptable_header(const uint8_t *sector, size_t len, uint64_t lba, struct ptable *ret)
{
	struct ptable t;
	uint32_t header_size;
	uint64_t bytes;

	if (len < HEADER_SIZE_MIN || memcmp(sector, "EFI PART", 8) != 0)
		return -EINVAL;
	header_size = le32(sector + 12);
	if (header_size < HEADER_SIZE_MIN || header_size > len)
		return -EINVAL;
	if (crc32(sector, header_size, 16) != le32(sector + 16) || le64(sector + 24) != lba)
		return -EINVAL;
	t.entries_lba = le64(sector + 72);
	t.entry_count = le32(sector + 80);
	t.entry_size = le32(sector + 84);
	t.entries_crc = le32(sector + 88);
	bytes = (uint64_t)t.entry_count * t.entry_size;
	if (t.entry_size < ENTRY_SIZE_MIN || t.entry_count == 0 || t.entries_lba < 2)
		return -EINVAL;
	if (bytes > PTABLE_ENTRIES_MAX)
		return -EFBIG;
	*ret = t;
	return 0;
}

int ptable_check(const struct ptable *t, const uint8_t *entries, size_t len)
{
	uint64_t bytes = (uint64_t)t->entry_count * t->entry_size;

	if (len < bytes || crc32(entries, bytes, bytes) != t->entries_crc)
		return -EINVAL;
	return 0;
}

/* The text form: the first three fields are little-endian on disk (UEFI specification, appendix A). */
static void uuid_text(const uint8_t *p, char out[PTABLE_UUID_TEXT])
{
	static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof order; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = hex[p[order[i]] >> 4];
		*out++ = hex[p[order[i]] & 15];
	}
	*out = '\0';
}

int ptable_partition(const struct ptable *t, const uint8_t *entries, size_t len, uint64_t number,
		     char ret_uuid[PTABLE_UUID_TEXT], uint64_t *ret_first_lba)
{
	static const uint8_t unused[16];
	const uint8_t *e;

	if (number < 1 || number > t->entry_count || t->entry_size < ENTRY_SIZE_MIN ||
	    number > len / t->entry_size)
		return -ENOENT;
	e = entries + (size_t)(number - 1) * t->entry_size;
	if (memcmp(e, unused, sizeof unused) == 0)
		return -ENOENT;
	uuid_text(e + 16, ret_uuid);
	*ret_first_lba = le64(e + 32);
	return 0;
}
