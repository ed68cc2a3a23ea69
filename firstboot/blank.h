/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a disk is blank, so that nothing is lost when it is formatted. Blank means that each of these holds:
 *   - no known signature of a file system, a partition table, RAID, LVM, encryption or swap, in any place where it, or
 *     its copy, can be,
 *   - the first and the last MiB are zero,
 *   - samples all over the disk are zero.
 * What cannot be read is not blank.
 */
#ifndef FIRSTBOOT_BLANK_H
#define FIRSTBOOT_BLANK_H

#include <stdint.h>

#define BLANK_LABEL_MAX 16		    /* of ext4 */
#define BLANK_SIZE_MIN	((uint64_t)8 << 20) /* a smaller disk is no data volume */

/*
 * 1: @fd, of @size bytes, is blank; 0: it is not, and *ret_what says what it holds ("LUKS", "data") and *ret_at
 * where; -errno when it cannot be read.
 */
int blank_check(int fd, uint64_t size, const char **ret_what, uint64_t *ret_at);

/* The label of the ext4 file system on @fd, "" when it has none. -ENOENT: there is no ext4; other -errno. */
int blank_ext4_label(int fd, char ret[BLANK_LABEL_MAX + 1]);

#endif
