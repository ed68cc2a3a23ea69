/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities of programs (capabilities(7), "File capabilities"; struct vfs_cap_data of linux/capability.h). */
#ifndef MKAPPLIANCE_IMAGE_FILE_CAPABILITY_H
#define MKAPPLIANCE_IMAGE_FILE_CAPABILITY_H

#include <stdint.h>

#include "compose/tree.h"
#include "lib/error.h"

/* What the file says that whoever runs it is to have: bit i is capability i. 0: nothing, or nothing that is understood. */
uint64_t file_capability_read(const struct tree_entry *e);

/*
 * The program at @path of the tree must not ask for more than @given, what its service has: the kernel would not start it, or start
 * it without. Usage error that says what to set in @section ("[Init]"); @key is for the message.
 */
int file_capability_check(const struct tree *tree, const char *path, uint64_t given, const char *section,
			  const char *key, struct error *err);

#endif
