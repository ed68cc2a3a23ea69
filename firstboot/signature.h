/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signature of the root hash, from its partition to the kernel, which verifies it (Linux
 * Documentation/admin-guide/device-mapper/verity.rst, root_hash_sig_key_desc). The init itself believes nothing of it.
 */
#ifndef FIRSTBOOT_SIGNATURE_H
#define FIRSTBOOT_SIGNATURE_H

#include <stddef.h>

#include "disk.h"

/* The name of the key that holds it; in the process's own keyring, which nobody inherits. */
#define SIGNATURE_KEY "mkappliance:root-hash"

/* Reads the partition and makes the key; refuses where it cannot. */
void signature_load(const struct disk_partition *p);

/*
 * The bytes that "signature" of the JSON object @text (all of its members are strings; NULs behind it) has in base64. -EBADMSG: there
 * are none. -EMSGSIZE: more than @size. Pure.
 */
int signature_parse(const char *text, size_t len, char *ret, size_t size, size_t *ret_len);

#endif
