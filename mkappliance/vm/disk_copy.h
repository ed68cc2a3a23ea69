/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MKAPPLIANCE_VM_DISK_COPY_H
#define MKAPPLIANCE_VM_DISK_COPY_H

#include "lib/error.h"

/*
 * Copies a disk image to a new file, open for reading and writing: shared blocks where the file system can
 * do that, else only what is not a hole. On failure (a full disk says so) nothing is left behind.
 */
int disk_copy(const char *from, const char *to, int *ret_fd, struct error *err);

#endif
