/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel modules. */
#ifndef FIRSTBOOT_MODULE_H
#define FIRSTBOOT_MODULE_H

#include <stdbool.h>

/*
 * Loads the module at @path (.ko, .ko.xz or .ko.zst, the latter two where the kernel unpacks them itself). 0
 * also when it is loaded or built in already (EEXIST) and when its hardware is not there (ENODEV), or is
 * but cannot do it (EOPNOTSUPP): what was needed from it will be missed by name. @asynchronous: its devices may appear
 * later, so that the next module does not wait for them.
 */
int module_load(const char *path, bool asynchronous);

#endif
