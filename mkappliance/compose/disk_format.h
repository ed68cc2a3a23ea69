/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a disk image before anything else opens it: its format, that it is whole in its one file, and that it
 * has a partition table. qemu would follow a header to any other file of the host, which no checksum of the image covers.
 */
#ifndef MKAPPLIANCE_COMPOSE_DISK_FORMAT_H
#define MKAPPLIANCE_COMPOSE_DISK_FORMAT_H

#include <stddef.h>

#include "lib/error.h"

/* Bytes at the start of a disk that disk_check_table() wants to see. */
#define DISK_HEAD 65536u

/*
 * *@ret is "qcow2", "vmdk" or "raw", which is everything that is nothing else. Refused: what needs other files (backing
 * file, external data, extents), is encrypted or marked as corrupt, and formats of other programs. Headers: QEMU's
 * docs/interop/qcow2.txt; VMware, "Virtual Disk Format 5.0". @name is for messages. -EMEDIUMTYPE: not such a disk.
 */
int disk_check_format(int fd, const char *name, const char **ret, struct error *err);

/*
 * The first bytes of the disk itself: a GPT (UEFI 2.10, 5.3.2) or MBR with at least one partition, or an error that says
 * what there is instead.
 */
int disk_check_table(const void *head, size_t len, const char *name, struct error *err);

#endif
