/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel modules. */
#ifndef FIRSTBOOT_MODULE_H
#define FIRSTBOOT_MODULE_H

/*
 * Loads the module at @path (.ko, .ko.xz or .ko.zst, the latter two where the kernel unpacks them itself). 0
 * also when it is loaded or built in already (EEXIST) and when its hardware is not there (ENODEV): what was
 * needed from it will be missed by name.
 */
int module_load(const char *path);

#endif
