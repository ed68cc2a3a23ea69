/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the two partitions by PARTUUID, whatever the disk is called. */
#ifndef FIRSTBOOT_DISK_H
#define FIRSTBOOT_DISK_H

#include <stdint.h>

struct disk_partition {
	char device[48]; /* "254:2" */
	char name[48];	 /* "vda2" */
	char disk[48];	 /* "vda" */
	uint64_t start;	 /* on the disk, in 512 bytes */
	uint64_t size;	 /* bytes */
};

/*
 * Waits until both partitions are there, woken by uevents from @uevent_fd; refuses after @timeout seconds.
 * With two disks that carry the same image the first one found of each counts: dm-verity has the last word on
 * either.
 */
void disk_wait(const char *root_uuid, const char *verity_uuid, uint64_t timeout, int uevent_fd,
	       struct disk_partition *ret_root, struct disk_partition *ret_verity);

#endif
