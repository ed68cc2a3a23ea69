/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the partitions by PARTUUID, whatever the disk is called. */
#ifndef FIRSTBOOT_DISK_H
#define FIRSTBOOT_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "conf.h"

struct disk_partition {
	char device[48]; /* "254:2" */
	char name[48];	 /* "vda2" */
	char disk[48];	 /* "vda" */
	uint64_t start;	 /* on the disk, in 512 bytes */
	uint64_t size;	 /* bytes */
};

struct disk_wanted {
	const char *uuid; /* PARTUUID in lower case; NULL: nothing is wanted here */
	struct disk_partition *ret;
};

/*
 * Waits until the @count partitions are there, woken by uevents from @uevent_fd; refuses after @timeout seconds. Before each look but the
 * first @again is called with @conf.
 * With two partitions of one PARTUUID it refuses: nobody can tell which was meant.
 */
void disk_wait(const struct disk_wanted *wanted, size_t count, uint64_t timeout, int uevent_fd,
	       void (*again)(const struct conf *conf), const struct conf *conf);

#endif
