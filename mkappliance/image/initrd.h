/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The initrd: an uncompressed cpio archive, "newc" format
 * (kernel Documentation/driver-api/early-userspace/buffer-format.rst). Not compressed, so that no library's
 * version changes its bytes. Holds exactly /init, /appliance.conf and the modules.
 */
#ifndef MKAPPLIANCE_IMAGE_INITRD_H
#define MKAPPLIANCE_IMAGE_INITRD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/mem.h"

struct initrd_file {
	const char *path; /* without leading slash */
	uint32_t mode;	  /* with type: a regular file or a directory; directories have no data */
	const void *data;
	size_t len;
};

/*
 * Appends the archive to @out. Members are sorted by tree_path_compare(), so the order of @files is free; all
 * are owned by root, mtime 0, inode numbers counted from 1. A path twice, a missing parent directory and a
 * path with "." or ".." are bugs of the caller: the program aborts.
 */
void initrd_write(const struct initrd_file *files, size_t count, struct buf *out);

/*
 * Parser of untrusted bytes: calls back for each member until the trailer, which must end @data. Whatever
 * initrd_write() would not have written is refused (error_refuse()). Paths and data point into @data. A
 * negative result of @member ends the walk and is returned.
 */
int initrd_read(const uint8_t *data, size_t len,
		int (*member)(const struct initrd_file *file, void *user, struct error *err), void *user,
		struct error *err);

#endif
