/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layout.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/gpt.h"

#define BLOCK 4096u
/* Far beyond any cloud's volume; keeps every sum below 2^64. */
#define SIZE_LIMIT (1ull << 50)

/* Types of the Discoverable Partitions Specification, in the order in which they are written. */
static const char *const types[PART_COUNT][2] = {
	[PART_ESP] = {[ARCH_X86_64] = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
		      [ARCH_ARM64] = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"},
	[PART_ROOT] = {[ARCH_X86_64] = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
		       [ARCH_ARM64] = "b921b045-1df0-41c3-af44-4c6f280d3fae"},
	[PART_VERITY] = {[ARCH_X86_64] = "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5",
			 [ARCH_ARM64] = "df3300ce-d69f-4c92-978c-9bfb0f38d820"},
	[PART_SIGNATURE] = {[ARCH_X86_64] = "41092b05-9fc8-4523-994f-2def0408b176",
			    [ARCH_ARM64] = "6db69de6-29f4-4758-a7a5-962190f00ce3"},
};

static const char *const names[PART_COUNT] = {"esp", "root", "root-verity", "root-verity-sig"};

static uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

static int check_used(const char *name, uint64_t used, uint64_t unit, struct error *err)
{
	if (used == 0 || used % unit)
		return error_set(err, -EINVAL,
				 "partition '%s': %" PRIu64 " bytes are not whole units of %" PRIu64, name,
				 used, unit);
	if (used > SIZE_LIMIT)
		return error_set(err, -EFBIG, "partition '%s': %" PRIu64 " bytes, at most %llu are possible",
				 name, used, SIZE_LIMIT);
	return 0;
}

/* Appends partition @i; @least: bytes that it has in any case. */
static void add_partition(struct layout *l, enum layout_index i, enum architecture arch, uint64_t used,
			  uint64_t least)
{
	const struct partition *before = i > 0 ? &l->part[i - 1] : NULL;
	struct partition *p = &l->part[i];

	p->name = names[i];
	if (!guid_parse(types[i][arch], &p->type))
		abort(); /* the table above is wrong */
	p->attributes = i == PART_ESP ? 0 : PARTITION_READ_ONLY;
	p->offset = before ? before->offset + before->size : LAYOUT_ALIGN;
	p->size = round_up(used > least ? used : least, LAYOUT_ALIGN);
	p->used = used;
	l->count = i + 1;
	l->size = round_up(p->offset + p->size + (uint64_t)GPT_BACKUP_SECTORS * LAYOUT_SECTOR,
			   LAYOUT_DISK_ROUND);
}

int layout_plan(const char *name, enum architecture arch, uint64_t esp_used, uint64_t root_used,
		uint64_t verity_used, struct layout *ret, struct error *err)
{
	const uint64_t used[] = {esp_used, root_used, verity_used};
	struct layout l = {0};

	for (int i = PART_ESP; i <= PART_VERITY; i++) {
		int r = check_used(names[i], used[i], i == PART_ESP ? LAYOUT_SECTOR : BLOCK, err);

		if (r < 0)
			return r;
		add_partition(&l, i, arch, used[i], i == PART_ESP ? LAYOUT_ESP_SIZE : 0);
	}
	guid_derive("disk", name, &l.disk_guid);
	guid_derive("esp", name, &l.part[PART_ESP].uuid);
	*ret = l;
	return 0;
}

void layout_add_signature(const char *name, enum architecture arch, struct layout *l)
{
	add_partition(l, PART_SIGNATURE, arch, BLOCK, 0);
	guid_derive("root-verity-sig", name, &l->part[PART_SIGNATURE].uuid);
}

void layout_set_root_hash(struct layout *l, const struct sha256 *root_hash)
{
	memcpy(l->part[PART_ROOT].uuid.b, root_hash->b, 16);
	memcpy(l->part[PART_VERITY].uuid.b, root_hash->b + 16, 16);
}
