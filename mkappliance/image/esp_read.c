/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a file from a FAT32 that anybody may have written. */
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "image/esp.h"
#include "image/fat.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"

#define NO_SECTOR UINT32_MAX

struct volume {
	int fd;
	const char *name;
	uint64_t offset;   /* of the partition in @fd, bytes */
	uint32_t cluster;  /* bytes */
	uint32_t table;	   /* first sector of the first copy of the allocation table */
	uint32_t data;	   /* first sector of the first cluster */
	uint32_t clusters; /* each of them has an entry in the table */
	uint32_t root;
	uint32_t window_sector; /* of the table, that @window holds */
	uint8_t window[FAT_SECTOR];
};

/* What a directory entry says of a file or directory. */
struct found {
	uint32_t cluster;
	uint32_t size;
};

static int bad(struct error *err, const struct volume *v, const char *what)
{
	return error_refuse(err, "%s: ESP: %s", v->name, what);
}

static bool valid_cluster(const struct volume *v, uint32_t cluster)
{
	return cluster >= FAT_FIRST_CLUSTER && cluster - FAT_FIRST_CLUSTER < v->clusters;
}

static int open_volume(struct volume *v, uint64_t size, struct error *err)
{
	struct fat_boot_sector b;
	uint32_t sectors, fat, per_cluster;
	uint64_t data;
	int r;

	if (size < sizeof(b))
		return bad(err, v, "smaller than a sector");
	r = io_pread_full(v->fd, v->name, &b, sizeof(b), v->offset, err);
	if (r < 0)
		return r;
	if (b.signature[0] != 0x55 || b.signature[1] != 0xaa)
		return bad(err, v, "no boot sector");
	sectors = le32toh(b.sectors);
	fat = le32toh(b.fat_sectors);
	per_cluster = b.sectors_per_cluster;
	if (le16toh(b.bytes_per_sector) != FAT_SECTOR || b.root_entries || b.sectors_16 || b.fat_sectors_16)
		return bad(err, v, "not a FAT32 with sectors of 512 bytes");
	if (per_cluster == 0 || per_cluster > 128 || (per_cluster & (per_cluster - 1)))
		return bad(err, v, "impossible size of clusters");
	if (b.reserved_sectors == 0 || b.fat_count == 0 || b.fat_count > 2)
		return bad(err, v, "impossible boot sector");
	data = le16toh(b.reserved_sectors) + (uint64_t)b.fat_count * fat;
	if (sectors > size / FAT_SECTOR || data >= sectors)
		return bad(err, v, "larger than its partition");

	v->cluster = per_cluster * FAT_SECTOR;
	v->table = le16toh(b.reserved_sectors);
	v->data = (uint32_t)data;
	v->clusters = (sectors - v->data) / per_cluster;
	v->root = le32toh(b.root_cluster) & FAT_ENTRY_MASK;
	if (v->clusters < FAT32_CLUSTERS_LEAST || v->clusters > FAT32_CLUSTERS_MOST)
		return bad(err, v, "not a FAT32: too few or too many clusters");
	if ((uint64_t)fat * FAT_SECTOR / FAT_ENTRY < (uint64_t)v->clusters + FAT_FIRST_CLUSTER)
		return bad(err, v, "its allocation table is too short");
	return 0;
}

/* The cluster that follows @cluster (valid) in its chain; *ret is 0 behind the last. */
static int next_cluster(struct volume *v, uint32_t cluster, uint32_t *ret, struct error *err)
{
	const uint32_t per_sector = FAT_SECTOR / FAT_ENTRY;
	uint32_t sector = cluster / per_sector, next;

	if (v->window_sector != sector) {
		int r;

		v->window_sector = NO_SECTOR;
		r = io_pread_full(v->fd, v->name, v->window, FAT_SECTOR,
				  v->offset + ((uint64_t)v->table + sector) * FAT_SECTOR, err);
		if (r < 0)
			return r;
		v->window_sector = sector;
	}
	memcpy(&next, v->window + cluster % per_sector * FAT_ENTRY, sizeof(next));
	next = le32toh(next) & FAT_ENTRY_MASK;
	if (next >= FAT_END_LEAST) {
		*ret = 0;
		return 0;
	}
	if (!valid_cluster(v, next))
		return error_refuse(err, "%s: ESP: a chain leads from cluster %u to %u, which is none",
				    v->name, cluster, next);
	*ret = next;
	return 0;
}

static int read_clusters(const struct volume *v, uint32_t cluster, void *to, size_t len, struct error *err)
{
	uint64_t at = (uint64_t)v->data * FAT_SECTOR + (uint64_t)(cluster - FAT_FIRST_CLUSTER) * v->cluster;
	int r = interrupt_check(err);

	return r < 0 ? r : io_pread_full(v->fd, v->name, to, len, v->offset + at, err);
}

enum scan { SCAN_FOUND, SCAN_END, SCAN_MORE };

static enum scan scan_cluster(const uint8_t *data, size_t len, const char name[FAT_NAME_SIZE], bool directory,
			      struct found *ret)
{
	const uint8_t kind = FAT_ATTRIBUTE_DIRECTORY | FAT_ATTRIBUTE_VOLUME;
	struct fat_entry e;

	for (size_t i = 0; i + sizeof(e) <= len; i += sizeof(e)) {
		memcpy(&e, data + i, sizeof(e));
		if ((uint8_t)e.name[0] == FAT_NAME_END)
			return SCAN_END;
		/* A long name has the attribute of a volume; a deleted one begins with 0xe5. */
		if ((e.attributes & kind) != (directory ? FAT_ATTRIBUTE_DIRECTORY : 0) ||
		    memcmp(e.name, name, FAT_NAME_SIZE) != 0)
			continue;
		ret->cluster =
			((uint32_t)le16toh(e.cluster_high) << 16 | le16toh(e.cluster_low)) & FAT_ENTRY_MASK;
		ret->size = le32toh(e.size);
		return SCAN_FOUND;
	}
	return SCAN_MORE;
}

/*
 * Looks @text up in the directory that begins at @cluster. A chain in a circle ends at the largest directory
 * that FAT allows.
 */
static int find(struct volume *v, uint32_t cluster, const char *text, bool directory, struct found *ret,
		struct error *err)
{
	_cleanup_free_ uint8_t *data = xmalloc(v->cluster);
	char name[FAT_NAME_SIZE];

	if (fat_name(text, name) < 0)
		return error_set(err, -EINVAL, "'%s' is no file name of the form NAME.EFI in capitals", text);
	if (!valid_cluster(v, cluster))
		return error_refuse(err, "%s: ESP: the directory of %s begins at cluster %u, which is none",
				    v->name, text, cluster);
	for (uint64_t seen = 0; cluster && seen < FAT_DIRECTORY_MAX; seen += v->cluster) {
		enum scan state;
		int r = read_clusters(v, cluster, data, v->cluster, err);

		if (r < 0)
			return r;
		state = scan_cluster(data, v->cluster, name, directory, ret);
		if (state == SCAN_FOUND)
			return 0;
		if (state == SCAN_END)
			break;
		r = next_cluster(v, cluster, &cluster, err);
		if (r < 0)
			return r;
	}
	return error_refuse(err, "%s: ESP: no %s %s", v->name, directory ? "directory" : "file", text);
}

/* Clusters that follow each other are read at once. The chain must be exactly as long as the size says. */
static int read_chain(struct volume *v, const struct found *f, uint8_t *to, struct error *err)
{
	uint32_t first = f->cluster, last = first;
	uint64_t left = f->size, run = 0;

	for (uint64_t seen = 0; seen < f->size; seen += v->cluster) {
		uint32_t next = 0;
		int r = next_cluster(v, last, &next, err);

		if (r < 0)
			return r;
		if ((next == 0) != (f->size - seen <= v->cluster))
			return bad(err, v, "the size of the file is not that of its clusters");
		run += v->cluster;
		if (next != last + 1) {
			size_t len = run < left ? run : left;

			r = read_clusters(v, first, to, len, err);
			if (r < 0)
				return r;
			to += len;
			left -= len;
			run = 0;
			first = next;
		}
		last = next;
	}
	return 0;
}

int esp_read_file(int fd, const char *name, uint64_t offset, uint64_t size, const char *file_name,
		  size_t limit, void **ret, size_t *ret_len, struct error *err)
{
	struct volume v = {.fd = fd, .name = name, .offset = offset, .window_sector = NO_SECTOR};
	_cleanup_free_ uint8_t *data = NULL;
	struct found f = {0};
	int r;

	if ((r = open_volume(&v, size, err)) < 0 || (r = find(&v, v.root, "EFI", true, &f, err)) < 0 ||
	    (r = find(&v, f.cluster, "BOOT", true, &f, err)) < 0 ||
	    (r = find(&v, f.cluster, file_name, false, &f, err)) < 0)
		return r;
	if (f.size > limit)
		return error_refuse(err, "%s: ESP: %s has %u bytes, at most %zu are read", name, file_name,
				    f.size, limit);
	if (f.size == 0 || !valid_cluster(&v, f.cluster) || (f.size - 1) / v.cluster >= v.clusters)
		return error_refuse(err, "%s: ESP: %s has no content", name, file_name);
	data = xmalloc(f.size);
	r = read_chain(&v, &f, data, err);
	if (r < 0)
		return r;
	*ret = steal_pointer(&data);
	*ret_len = f.size;
	return 0;
}
