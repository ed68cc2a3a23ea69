/* SPDX-License-Identifier: Apache-2.0 */
/* The dm-verity device, from /appliance.conf alone: the superblock on the disk is never read. */
#ifndef FIRSTBOOT_VERITY_H
#define FIRSTBOOT_VERITY_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "disk.h"

struct verity_device {
	char path[32]; /* "/dev/dm-0" */
	char name[16]; /* "dm-0" */
	unsigned major;
	unsigned minor;
};

/* Makes the device, read only. Refuses when a partition is too small for the table or the kernel does not
 * take it. */
void verity_open(const struct conf *c, const struct disk_partition *data, const struct disk_partition *hash,
		 struct verity_device *ret);

/*
 * Whether the kernel ends the machine by itself in the way of @on_corruption (enum conf_on_corruption), on a
 * corrupted block and on a read error. Else that is for the guard.
 */
bool verity_ends_by_itself(unsigned on_corruption);

/* Whether the kernel has seen a corrupted block since the device was made: 1, 0 or -errno. */
int verity_is_corrupted(void);

/* Bytes that the data and the hash device must have; false when they cannot be told in 64 bits. Pure. */
bool verity_sizes(uint64_t data_blocks, uint64_t hash_start, uint64_t *ret_data, uint64_t *ret_hash);

#endif
