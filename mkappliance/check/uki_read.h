/* SPDX-License-Identifier: Apache-2.0 */
/* The UKI out of a disk image, found as firmware finds it: by partition table and ESP, without a manifest. */
#ifndef MKAPPLIANCE_CHECK_UKI_READ_H
#define MKAPPLIANCE_CHECK_UKI_READ_H

#include <stddef.h>

#include "lib/error.h"

/*
 * Reader of untrusted bytes. @path: a disk image, or a UKI itself (it begins with "MZ" and holds no partition table). The bytes are
 * to be freed. Errors name @path.
 */
int uki_read(const char *path, void **ret, size_t *ret_len, struct error *err);

#endif
