/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of partition tables. A table is 34 KiB of which most is zero and most changes are caught by a checksum, so the input
 * is a short list of changes to a good table:
 *
 *   byte 0        bit 0: make both copies equal and the checksums right again after the changes
 *   then 4 each   offset (16 bits little endian, modulo the size), new byte, length of the run less one
 *
 * An input that begins with "RAW:" is taken as the table's bytes instead, followed by zeros.
 */
#include <stdlib.h>
#include <string.h>

#include "image/gpt.h"

#define SECTORS (GPT_PRIMARY_SECTORS + GPT_BACKUP_SECTORS)
#define SIZE	(SECTORS * LAYOUT_SECTOR)
#define ENTRIES (128 * 128)

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void reseal(uint8_t *table)
{
	uint8_t *h = table + 512, *b = table + (SECTORS - 1) * LAYOUT_SECTOR;
	uint8_t *entries = table + 1024, *copy = table + GPT_PRIMARY_SECTORS * LAYOUT_SECTOR;

	memcpy(copy, entries, ENTRIES);
	memcpy(b + 40, h + 40, 32);
	memcpy(b + 80, h + 80, 12);
	put32(h + 88, gpt_crc32(entries, ENTRIES));
	put32(b + 88, gpt_crc32(copy, ENTRIES));
	put32(h + 16, 0);
	put32(b + 16, 0);
	put32(h + 16, gpt_crc32(h, 92));
	put32(b + 16, gpt_crc32(b, 92));
}

static void apply(uint8_t *table, const uint8_t *data, size_t len)
{
	for (size_t i = 1; i + 4 <= len; i += 4) {
		size_t at = (data[i] | (size_t)data[i + 1] << 8) % SIZE;
		size_t run = (size_t)data[i + 3] + 1;

		memset(table + at, data[i + 2], run < SIZE - at ? run : SIZE - at);
	}
	if (len && data[0] & 1)
		reseal(table);
}

/* What the parser let through must be what it promises. */
static void check(const struct gpt *g, uint64_t size)
{
	if (g->count > 128)
		abort();
	for (unsigned i = 0; i < g->count; i++) {
		const struct gpt_entry *e = &g->entries[i];

		if (e->size == 0 || e->offset >= size || e->size > size - e->offset || strlen(e->name) > 36)
			abort();
		for (unsigned k = 0; k < i; k++)
			if (e->offset < g->entries[k].offset + g->entries[k].size &&
			    g->entries[k].offset < e->offset + e->size)
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t good[SIZE];
	static struct layout l;
	static bool made;
	uint8_t table[SIZE];
	struct error err = ERROR_INIT;
	struct gpt g;

	if (!made) {
		if (layout_plan("fuzz", ARCH_X86_64, LAYOUT_ESP_SIZE, 4096, 4096, &l, &err) < 0)
			abort();
		layout_set_root_hash(&l, &(struct sha256){{[0] = 1, [31] = 1}});
		if (gpt_build(&l, good, good + GPT_PRIMARY_SECTORS * LAYOUT_SECTOR, &err) < 0)
			abort();
		made = true;
	}
	if (len >= 4 && memcmp(data, "RAW:", 4) == 0) {
		memset(table, 0, sizeof(table));
		memcpy(table, data + 4, len - 4 < SIZE ? len - 4 : SIZE);
	} else {
		memcpy(table, good, sizeof(table));
		apply(table, data, len);
	}
	if (gpt_parse(table, table + GPT_PRIMARY_SECTORS * LAYOUT_SECTOR, l.size, &g, &err) == 0)
		check(&g, l.size);
	return 0;
}
