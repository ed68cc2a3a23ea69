/* SPDX-License-Identifier: Apache-2.0 */
/* Just enough of ISO 9660 with Rock Ridge names (ECMA-119, SUSP, RRIP) to read small files of the root directory. Nothing of
 * it is trusted: every place is checked against the limits. */
#ifndef FIRSTBOOT_ISO9660_H
#define FIRSTBOOT_ISO9660_H

#include <stddef.h>
#include <stdint.h>

struct iso9660 {
	uint32_t root_at; /* block of 2048 bytes */
	uint32_t root_len;
};

/* The file system on @fd when its label is @label in any case. -ENOENT: another, or none. */
int iso9660_open(int fd, const char *label, struct iso9660 *ret);

/* Reads the whole of @name. -ENOENT; -EFBIG when it has more than @size bytes. */
int iso9660_read(int fd, const struct iso9660 *i, const char *name, char *buf, size_t size, size_t *ret_len);

#endif
