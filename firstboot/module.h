/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel modules. */
#ifndef FIRSTBOOT_MODULE_H
#define FIRSTBOOT_MODULE_H

/*
 * Loads the module at @path (.ko, .ko.xz or .ko.zst, the latter two where the kernel unpacks them itself). 0
 * also when it is loaded or built in already (EEXIST) and when its hardware is not there (ENODEV), or is
 * but cannot do it (EOPNOTSUPP): what was needed from it will be missed by name. Its
 * devices are there when it returns, in the order of the bus: eth0 and eth1 are the same at every start, which "async_probe" would not
 * keep.
 */
int module_load(const char *path);

#endif
