/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The initrd: an uncompressed cpio archive, "newc" format (kernel Documentation/driver-api/early-userspace/buffer-format.rst).
 * Not compressed, so that no library's version changes its bytes. Holds exactly /init, /appliance.conf and the modules.
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
	uint32_t mode;    /* with type; directories have no data */
	const void *data;
	size_t len;
};

/* All owned by root, mtime 0, inode numbers counted from 1; missing parent directories are an error of the caller. Appends to @out. */
void initrd_write(const struct initrd_file *files, size_t count, struct buf *out);

/* Parser of untrusted bytes: calls back for each member until the trailer; anything not as initrd_write() makes it is refused. */
int initrd_read(const uint8_t *data, size_t len,
		int (*member)(const struct initrd_file *file, void *user, struct error *err), void *user,
		struct error *err);

#endif
