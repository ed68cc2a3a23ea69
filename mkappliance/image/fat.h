/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FAT32 as it lies on the disk (Microsoft Extensible Firmware Initiative FAT32 File System Specification,
 * 1.03). All numbers are little endian; only esp*.c include this.
 */
#ifndef MKAPPLIANCE_IMAGE_FAT_H
#define MKAPPLIANCE_IMAGE_FAT_H

#include <stdint.h>

#define FAT_SECTOR	     512u
#define FAT_ENTRY	     4u /* bytes of an entry of the allocation table */
#define FAT_ENTRY_MASK	     0x0fffffffu
#define FAT_FIRST_CLUSTER    2u /* the two entries before it belong to no cluster */
#define FAT_END		     0x0fffffffu
#define FAT_END_LEAST	     0x0ffffff8u /* from here on: the last cluster of a chain */
#define FAT32_CLUSTERS_LEAST 65525u	 /* with fewer a reader takes it for FAT16 */
#define FAT32_CLUSTERS_MOST  0x0ffffff5u

#define FAT_DIRECTORY_MAX (65536u * sizeof(struct fat_entry)) /* bytes */

struct fat_boot_sector {
	uint8_t jump[3];
	char oem[8];
	uint16_t bytes_per_sector;
	uint8_t sectors_per_cluster;
	uint16_t reserved_sectors;
	uint8_t fat_count;
	uint16_t root_entries; /* 0 on FAT32 */
	uint16_t sectors_16;   /* 0 on FAT32 */
	uint8_t media;
	uint16_t fat_sectors_16; /* 0 on FAT32 */
	uint16_t sectors_per_track;
	uint16_t heads;
	uint32_t hidden_sectors;
	uint32_t sectors;
	uint32_t fat_sectors;
	uint16_t flags;
	uint16_t version;
	uint32_t root_cluster;
	uint16_t info_sector;
	uint16_t backup_sector;
	uint8_t reserved[12];
	uint8_t drive;
	uint8_t reserved_1;
	uint8_t extended_signature;
	uint32_t volume_id;
	char label[11];
	char type[8];
	uint8_t code[420];
	uint8_t signature[2];
} __attribute__((packed));
_Static_assert(sizeof(struct fat_boot_sector) == FAT_SECTOR, "FAT32 boot sector");

struct fat_info_sector {
	uint32_t lead_signature;
	uint8_t reserved[480];
	uint32_t signature;
	uint32_t free_clusters;
	uint32_t next_free;
	uint8_t reserved_1[12];
	uint32_t trail_signature;
} __attribute__((packed));
_Static_assert(sizeof(struct fat_info_sector) == FAT_SECTOR, "FSInfo sector");

#define FAT_ATTRIBUTE_VOLUME	0x08u
#define FAT_ATTRIBUTE_DIRECTORY 0x10u
#define FAT_ATTRIBUTE_ARCHIVE	0x20u

#define FAT_NAME_SIZE 11u
#define FAT_NAME_END  0x00 /* first byte of the name: no entry from here on */

struct fat_entry {
	char name[FAT_NAME_SIZE]; /* "BOOTX64 EFI" */
	uint8_t attributes;
	uint8_t reserved;
	uint8_t created_tenths; /* hundredths of a second, 0 to 199 */
	uint16_t created_time;
	uint16_t created_date;
	uint16_t accessed_date;
	uint16_t cluster_high;
	uint16_t written_time;
	uint16_t written_date;
	uint16_t cluster_low;
	uint32_t size;
} __attribute__((packed));
_Static_assert(sizeof(struct fat_entry) == 32, "FAT directory entry");

/* "BOOTX64.EFI" to "BOOTX64 EFI". Returns -1 for what is no 8.3 name of capitals, digits, '-' and '_'. */
int fat_name(const char *text, char ret[FAT_NAME_SIZE]);

#endif
