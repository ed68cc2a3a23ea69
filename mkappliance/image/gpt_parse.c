/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of partition tables: UEFI 2.10, section 5. Believes nothing; declared in image/gpt.h. */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "image/gpt.h"

#define ENTRIES	    128u
#define ENTRY_SIZE  128u
#define ARRAY_BYTES (ENTRIES * ENTRY_SIZE)
#define HEADER_SIZE 92u
#define FIRST_LBA   GPT_PRIMARY_SECTORS

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t le64(const uint8_t *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

uint32_t gpt_crc32(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* One entry of type 0xEE over the whole disk, as UEFI 2.10 section 5.2.3 wants it. */
static int check_protective_mbr(const uint8_t *mbr, uint64_t sectors, struct error *err)
{
	const uint8_t *e = mbr + 446;
	uint64_t want = sectors - 1 > UINT32_MAX ? UINT32_MAX : sectors - 1;

	if (mbr[510] != 0x55 || mbr[511] != 0xaa)
		return error_refuse(err, "protective MBR: no boot signature: not a partitioned disk");
	if (e[4] != 0xee || le32(e + 8) != 1 || le32(e + 12) != want)
		return error_refuse(
			err, "protective MBR: its entry does not cover the disk of %" PRIu64 " sectors",
			sectors);
	if (!all_zero(mbr + 462, 48))
		return error_refuse(err, "protective MBR: has more than one entry");
	return 0;
}

/* Where a header has to lie and to point. */
struct place {
	const char *name;
	uint64_t own, other, array;
};

static int check_header(const uint8_t *h, const struct place *at, uint64_t sectors, struct error *err)
{
	uint8_t copy[HEADER_SIZE];

	if (memcmp(h, "EFI PART", 8) != 0)
		return error_refuse(err, "%s header: no signature", at->name);
	if (le32(h + 8) != 0x00010000 || le32(h + 12) != HEADER_SIZE)
		return error_refuse(
			err, "%s header: revision %#" PRIx32 ", size %" PRIu32 ", known are 0x10000 and %u",
			at->name, le32(h + 8), le32(h + 12), HEADER_SIZE);
	memcpy(copy, h, sizeof(copy));
	memset(copy + 16, 0, 4);
	if (gpt_crc32(copy, sizeof(copy)) != le32(h + 16))
		return error_refuse(err, "%s header: its checksum differs", at->name);
	if (le32(h + 20) != 0 || !all_zero(h + HEADER_SIZE, LAYOUT_SECTOR - HEADER_SIZE))
		return error_refuse(err, "%s header: reserved bytes are not zero", at->name);
	if (le64(h + 24) != at->own || le64(h + 32) != at->other || le64(h + 72) != at->array)
		return error_refuse(err, "%s header: points to another place than it must on this disk",
				    at->name);
	if (le32(h + 80) != ENTRIES || le32(h + 84) != ENTRY_SIZE)
		return error_refuse(err,
				    "%s header: %" PRIu32 " entries of %" PRIu32 " bytes, known are %u of %u",
				    at->name, le32(h + 80), le32(h + 84), ENTRIES, ENTRY_SIZE);
	if (le64(h + 40) < FIRST_LBA || le64(h + 48) < le64(h + 40) ||
	    le64(h + 48) >= sectors - GPT_BACKUP_SECTORS)
		return error_refuse(
			err, "%s header: usable sectors %" PRIu64 " to %" PRIu64 " are not on the disk",
			at->name, le64(h + 40), le64(h + 48));
	return 0;
}

static int read_name(const uint8_t *in, unsigned index, char out[37], struct error *err)
{
	unsigned len = 0;

	while (len < 36 && (in[2 * len] || in[2 * len + 1])) {
		if (in[2 * len + 1] || in[2 * len] < 0x20 || in[2 * len] > 0x7e)
			return error_refuse(err, "partition %u: its name is not ASCII", index + 1);
		out[len] = (char)in[2 * len];
		len++;
	}
	if (!all_zero(in + 2 * len, 72 - 2 * len))
		return error_refuse(err, "partition %u: bytes behind its name", index + 1);
	memset(out + len, 0, 37 - len);
	return 0;
}

static int read_entry(const uint8_t *in, unsigned index, uint64_t first, uint64_t last, struct gpt_entry *ret,
		      struct error *err)
{
	uint64_t start = le64(in + 32), end = le64(in + 40);

	if (start < first || end < start || end > last)
		return error_refuse(err,
				    "partition %u: sectors %" PRIu64 " to %" PRIu64 " are not within %" PRIu64
				    " and %" PRIu64,
				    index + 1, start, end, first, last);
	if (all_zero(in + 16, 16))
		return error_refuse(err, "partition %u: has no UUID", index + 1);
	guid_from_gpt(in, &ret->type);
	guid_from_gpt(in + 16, &ret->uuid);
	ret->offset = start * LAYOUT_SECTOR;
	ret->size = (end - start + 1) * LAYOUT_SECTOR;
	ret->attributes = le64(in + 48);
	return read_name(in + 56, index, ret->name, err);
}

/* Against those before it: no byte and no UUID twice. */
static int check_entry(const struct gpt *g, const struct gpt_entry *e, struct error *err)
{
	for (unsigned i = 0; i < g->count; i++) {
		const struct gpt_entry *o = &g->entries[i];

		if (e->offset < o->offset + o->size && o->offset < e->offset + e->size)
			return error_refuse(err, "partitions '%s' and '%s' overlap", o->name, e->name);
		if (memcmp(&e->uuid, &o->uuid, sizeof(e->uuid)) == 0)
			return error_refuse(err, "partitions '%s' and '%s' have the same UUID", o->name,
					    e->name);
	}
	return 0;
}

static int read_entries(const uint8_t *array, uint64_t first, uint64_t last, struct gpt *g, struct error *err)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		const uint8_t *in = array + (size_t)i * ENTRY_SIZE;
		struct gpt_entry *e = &g->entries[g->count];
		int r;

		if (all_zero(in, 16)) {
			if (!all_zero(in, ENTRY_SIZE))
				return error_refuse(err, "partition %u: unused, yet not all zero", i + 1);
			continue;
		}
		r = read_entry(in, i, first, last, e, err);
		if (r < 0)
			return r;
		r = check_entry(g, e, err);
		if (r < 0)
			return r;
		g->count++;
	}
	return 0;
}

int gpt_parse(const uint8_t *primary, const uint8_t *backup, uint64_t disk_size, struct gpt *ret,
	      struct error *err)
{
	const uint64_t sectors = disk_size / LAYOUT_SECTOR;
	const uint8_t *h = primary + LAYOUT_SECTOR, *array = primary + 2 * LAYOUT_SECTOR;
	const uint8_t *backup_h = backup + (GPT_BACKUP_SECTORS - 1) * LAYOUT_SECTOR;
	struct gpt g = {0};
	int r;

	if (disk_size % LAYOUT_SECTOR)
		return error_refuse(err,
				    "a disk of %" PRIu64 " bytes does not end at a whole sector: truncated?",
				    disk_size);
	if (sectors <= GPT_PRIMARY_SECTORS + GPT_BACKUP_SECTORS || sectors > INT64_MAX / LAYOUT_SECTOR)
		return error_refuse(err, "a disk of %" PRIu64 " bytes has no room for a partition table",
				    disk_size);
	r = check_protective_mbr(primary, sectors, err);
	if (r < 0)
		return r;
	r = check_header(h, &(struct place){"primary GPT", 1, sectors - 1, 2}, sectors, err);
	if (r < 0)
		return r;
	r = check_header(backup_h,
			 &(struct place){"backup GPT", sectors - 1, 1, sectors - GPT_BACKUP_SECTORS}, sectors,
			 err);
	if (r < 0)
		return r;
	/* Usable range and disk GUID; number, size and checksum of the entries. */
	if (memcmp(h + 40, backup_h + 40, 32) != 0 || memcmp(h + 80, backup_h + 80, 12) != 0)
		return error_refuse(err, "primary and backup GPT headers differ");
	if (gpt_crc32(array, ARRAY_BYTES) != le32(h + 88))
		return error_refuse(err, "primary GPT: the checksum of its entries differs");
	if (memcmp(array, backup, ARRAY_BYTES) != 0)
		return error_refuse(err, "primary and backup GPT entries differ");
	guid_from_gpt(h + 56, &g.disk_guid);
	r = read_entries(array, le64(h + 40), le64(h + 48), &g, err);
	if (r < 0)
		return r;
	*ret = g;
	return 0;
}
