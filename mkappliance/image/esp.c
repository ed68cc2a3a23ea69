/* SPDX-License-Identifier: Apache-2.0 */
#include "image/esp.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/fat.h"
#include "lib/mem.h"

#define MIB	      (1024ull * 1024)
#define SIZE_MIN      (64 * MIB)
#define SIZE_MAX_512  (260 * MIB)  /* specification, table of sectors per cluster: up to here 512 bytes */
#define SIZE_MAX_4096 (8192 * MIB) /* and up to here 4096 */

#define FAT_COUNT     2u
#define INFO_SECTOR   1u
#define BACKUP_SECTOR 6u /* the backup of FSInfo follows it */
#define HEAD_SECTORS  8u /* the part of the reserved sectors that is written */
#define RESERVED_MIN  32u
#define FILE_ALIGN    4096u

#define LABEL "ESP        "

/* The clusters, in this order from the first; the file has the rest. */
enum { CLUSTER_ROOT = FAT_FIRST_CLUSTER, CLUSTER_EFI, CLUSTER_BOOT, CLUSTER_FILE };
#define DIRECTORIES (CLUSTER_FILE - CLUSTER_ROOT)

/* Where everything lies, in sectors unless said otherwise. */
struct geometry {
	uint32_t sectors;
	uint32_t per_cluster;
	uint32_t cluster; /* bytes */
	uint32_t reserved;
	uint32_t fat;  /* of one copy of the table */
	uint32_t data; /* first of the first cluster */
	uint32_t clusters;
};

/* @size: whole sectors, up to SIZE_MAX_4096. */
static struct geometry plan(uint64_t size)
{
	struct geometry g = {.sectors = (uint32_t)(size / FAT_SECTOR)};
	const uint32_t per_align = FILE_ALIGN / FAT_SECTOR;
	uint64_t table;

	g.per_cluster = size <= SIZE_MAX_512 ? 1 : 8;
	g.cluster = g.per_cluster * FAT_SECTOR;
	/* As if every sector were in a cluster: the table may be too long, and this way needs no fixed point. */
	table = ((uint64_t)g.sectors / g.per_cluster + FAT_FIRST_CLUSTER) * FAT_ENTRY;
	g.fat = (uint32_t)((table + FAT_SECTOR - 1) / FAT_SECTOR);
	g.reserved = RESERVED_MIN;
	while ((g.reserved + FAT_COUNT * g.fat + DIRECTORIES * g.per_cluster) % per_align != 0)
		g.reserved++;
	g.data = g.reserved + FAT_COUNT * g.fat;
	g.clusters = g.sectors > g.data ? (g.sectors - g.data) / g.per_cluster : 0;
	return g;
}

static uint64_t clusters_for(const struct geometry *g, uint64_t len)
{
	return len / g->cluster + (len % g->cluster != 0);
}

static bool file_fits(const struct geometry *g, uint64_t len)
{
	return g->clusters >= DIRECTORIES && clusters_for(g, len) <= g->clusters - DIRECTORIES;
}

uint64_t esp_size_for(uint64_t file_len)
{
	uint64_t size = SIZE_MIN;

	if (file_len > UINT32_MAX)
		file_len = UINT32_MAX;
	if (file_len > size)
		size = (file_len + MIB - 1) / MIB * MIB;
	for (;; size += MIB) {
		struct geometry g = plan(size);

		if (file_fits(&g, file_len))
			return size;
	}
}

/* ---- names and times ---- */

static bool name_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

int fat_name(const char *text, char ret[FAT_NAME_SIZE])
{
	const char *dot = strchr(text, '.');
	size_t base = dot ? (size_t)(dot - text) : strlen(text);
	size_t extension = dot ? strlen(dot + 1) : 0;

	if (base < 1 || base > 8 || extension > 3 || (dot && extension == 0))
		return -1;
	for (const char *p = text; *p; p++)
		if (p != dot && !name_char(*p))
			return -1;
	memset(ret, ' ', FAT_NAME_SIZE);
	memcpy(ret, text, base);
	if (dot)
		memcpy(ret + 8, dot + 1, extension);
	return 0;
}

const char *esp_boot_file_name(enum architecture arch)
{
	return arch == ARCH_ARM64 ? "BOOTAA64.EFI" : "BOOTX64.EFI";
}

struct fat_time {
	uint16_t date;
	uint16_t time;
	uint8_t tenths;
};

/*
 * Of seconds since 1970, UTC. By hand, for gmtime() knows leap seconds when TZ says so. Days are counted in
 * eras of 400 years that begin on 1 March, so that the leap day is the last of its year.
 */
static struct fat_time fat_time(int64_t epoch)
{
	const int64_t first = 315532800, last = 4354819199; /* 1980-01-01 00:00:00, 2107-12-31 23:59:59 */
	int64_t seconds = epoch < first ? first : epoch > last ? last : epoch;
	uint32_t day = (uint32_t)(seconds / 86400) + 719468, second = (uint32_t)(seconds % 86400);
	uint32_t era = day / 146097, of_era = day % 146097;
	uint32_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint32_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint32_t from_march = (5 * of_year + 2) / 153;
	uint32_t month = from_march < 10 ? from_march + 3 : from_march - 9;
	uint32_t year = era * 400 + year_of_era + (month <= 2);
	uint32_t month_day = of_year - (153 * from_march + 2) / 5 + 1;

	return (struct fat_time){
		.date = (uint16_t)((year - 1980) << 9 | month << 5 | month_day),
		.time = (uint16_t)(second / 3600 << 11 | second / 60 % 60 << 5 | second % 60 / 2),
		.tenths = (uint8_t)(second % 2 * 100),
	};
}

/* ---- the parts ---- */

static void put_boot_sector(const struct geometry *g, const struct esp_params *p, uint8_t *sector)
{
	struct fat_boot_sector b = {
		.jump = {0xeb, 0x58, 0x90},
		.bytes_per_sector = htole16(FAT_SECTOR),
		.sectors_per_cluster = (uint8_t)g->per_cluster,
		.reserved_sectors = htole16((uint16_t)g->reserved),
		.fat_count = FAT_COUNT,
		.media = 0xf8,
		.sectors_per_track = htole16(63),
		.heads = htole16(255),
		.hidden_sectors = htole32((uint32_t)(p->offset / FAT_SECTOR)),
		.sectors = htole32(g->sectors),
		.fat_sectors = htole32(g->fat),
		.root_cluster = htole32(CLUSTER_ROOT),
		.info_sector = htole16(INFO_SECTOR),
		.backup_sector = htole16(BACKUP_SECTOR),
		.drive = 0x80,
		.extended_signature = 0x29,
		.volume_id = htole32(p->volume_id),
		.code = {0xf4, 0xeb, 0xfd}, /* where the jump leads: halt, for ever */
		.signature = {0x55, 0xaa},
	};

	memcpy(b.oem, "mkapplia", sizeof(b.oem));
	memcpy(b.label, LABEL, sizeof(b.label));
	memcpy(b.type, "FAT32   ", sizeof(b.type));
	memcpy(sector, &b, sizeof(b));
}

static void put_info_sector(const struct geometry *g, uint32_t used_clusters, uint8_t *sector)
{
	const struct fat_info_sector i = {
		.lead_signature = htole32(0x41615252),
		.signature = htole32(0x61417272),
		.free_clusters = htole32(g->clusters - used_clusters),
		.next_free = htole32(FAT_FIRST_CLUSTER + used_clusters - 1),
		.trail_signature = htole32(0xaa550000),
	};

	memcpy(sector, &i, sizeof(i));
}

/* The entries that are not free: @file_clusters of the file in one chain, each directory in one cluster. */
static void put_table(uint32_t file_clusters, uint8_t *table)
{
	const uint32_t head[CLUSTER_FILE] = {0x0ffffff8, FAT_END, FAT_END, FAT_END, FAT_END};

	for (uint32_t i = 0; i < CLUSTER_FILE + file_clusters; i++, table += FAT_ENTRY) {
		uint32_t next = i < CLUSTER_FILE		       ? head[i]
				: i + 1 < CLUSTER_FILE + file_clusters ? i + 1
								       : FAT_END;

		next = htole32(next);
		memcpy(table, &next, sizeof(next));
	}
}

static struct fat_entry entry(const char name[FAT_NAME_SIZE], uint8_t attributes, uint32_t cluster,
			      uint32_t size, const struct fat_time *t)
{
	struct fat_entry e = {
		.attributes = attributes,
		.created_tenths = t->tenths,
		.created_time = htole16(t->time),
		.created_date = htole16(t->date),
		.accessed_date = htole16(t->date),
		.cluster_high = htole16((uint16_t)(cluster >> 16)),
		.written_time = htole16(t->time),
		.written_date = htole16(t->date),
		.cluster_low = htole16((uint16_t)cluster),
		.size = htole32(size),
	};

	memcpy(e.name, name, FAT_NAME_SIZE);
	return e;
}

/* The three directories, a cluster of @cluster bytes each. A parent that is the root is called cluster 0. */
static void put_directories(const struct esp_params *p, const char file_name[FAT_NAME_SIZE], uint32_t cluster,
			    uint8_t *at)
{
	const struct fat_time t = fat_time(p->epoch);
	const uint8_t dir = FAT_ATTRIBUTE_DIRECTORY;
	const struct fat_entry root[] = {
		entry(LABEL, FAT_ATTRIBUTE_VOLUME, 0, 0, &t),
		entry("EFI        ", dir, CLUSTER_EFI, 0, &t),
	};
	const struct fat_entry efi[] = {
		entry(".          ", dir, CLUSTER_EFI, 0, &t),
		entry("..         ", dir, 0, 0, &t),
		entry("BOOT       ", dir, CLUSTER_BOOT, 0, &t),
	};
	const struct fat_entry boot[] = {
		entry(".          ", dir, CLUSTER_BOOT, 0, &t),
		entry("..         ", dir, CLUSTER_EFI, 0, &t),
		entry(file_name, FAT_ATTRIBUTE_ARCHIVE, CLUSTER_FILE, (uint32_t)p->file_len, &t),
	};

	memcpy(at, root, sizeof(root));
	memcpy(at + cluster, efi, sizeof(efi));
	memcpy(at + 2 * (size_t)cluster, boot, sizeof(boot));
}

/* ---- the whole ---- */

static int check_params(const struct esp_params *p, char file_name[FAT_NAME_SIZE], struct error *err)
{
	struct geometry g;

	if (p->size < SIZE_MIN || p->size > SIZE_MAX_4096 || p->size % FAT_SECTOR != 0)
		return error_set(err, -EINVAL,
				 "ESP of %ju bytes: 64 MiB to 8 GiB in whole sectors are possible",
				 (uintmax_t)p->size);
	if (p->offset % FAT_SECTOR != 0 || p->offset / FAT_SECTOR > UINT32_MAX)
		return error_set(err, -EINVAL,
				 "ESP at byte %ju of the disk: not a sector that FAT32 can count",
				 (uintmax_t)p->offset);
	if (fat_name(p->file_name, file_name) < 0)
		return error_set(err, -EINVAL, "ESP: '%s' is no file name of the form NAME.EFI in capitals",
				 p->file_name);
	if (p->file_len == 0 || p->file_len > UINT32_MAX)
		return error_set(err, -EFBIG, "ESP: a file of %zu bytes; FAT32 holds 1 byte to 4 GiB",
				 p->file_len);
	g = plan(p->size);
	if (!file_fits(&g, p->file_len))
		return error_set(err, -ENOSPC,
				 "ESP of %ju MiB has no room for %s of %zu bytes; it needs %ju MiB",
				 (uintmax_t)(p->size / MIB), p->file_name, p->file_len,
				 (uintmax_t)(esp_size_for(p->file_len) / MIB));
	return 0;
}

int esp_build(const struct esp_params *p, struct esp *ret, struct error *err)
{
	const struct geometry g = plan(p->size);
	const uint32_t file_clusters = (uint32_t)clusters_for(&g, p->file_len);
	const size_t head_len = HEAD_SECTORS * FAT_SECTOR,
		     table_len = ((size_t)CLUSTER_FILE + file_clusters) * FAT_ENTRY;
	const size_t directories_len = (size_t)DIRECTORIES * g.cluster;
	const uint64_t data = (uint64_t)g.data * FAT_SECTOR;
	char file_name[FAT_NAME_SIZE];
	uint8_t *head, *table, *directories;
	struct esp e = {0};
	int r = check_params(p, file_name, err);

	if (r < 0)
		return r;
	head = e.memory = xcalloc(1, head_len + table_len + directories_len);
	table = head + head_len;
	directories = table + table_len;
	put_boot_sector(&g, p, head);
	put_info_sector(&g, DIRECTORIES + file_clusters, head + INFO_SECTOR * FAT_SECTOR);
	memcpy(head + BACKUP_SECTOR * FAT_SECTOR, head, 2 * FAT_SECTOR);
	put_table(file_clusters, table);
	put_directories(p, file_name, g.cluster, directories);

	extent_add_memory(&e.extents, 0, head_len, head);
	for (unsigned i = 0; i < FAT_COUNT; i++)
		extent_add_memory(&e.extents, (uint64_t)(g.reserved + i * g.fat) * FAT_SECTOR, table_len,
				  table);
	extent_add_memory(&e.extents, data, directories_len, directories);
	extent_add_memory(&e.extents, data + directories_len, p->file_len, p->file);
	e.used = data + directories_len + (uint64_t)file_clusters * g.cluster;
	*ret = e;
	return 0;
}

void esp_free(struct esp *e)
{
	extent_free(&e->extents);
	free(e->memory);
	*e = (struct esp){0};
}
