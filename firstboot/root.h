/* SPDX-License-Identifier: Apache-2.0 */
/* File systems of stage 1 and the change of root. */
#ifndef FIRSTBOOT_ROOT_H
#define FIRSTBOOT_ROOT_H

/* /proc, /sys and /dev of the initrd. 0 or -errno. */
int root_mount_early(void);

/* Mounts @device read only below the initrd. Refuses when that does not work. */
void root_mount(const char *device);

/* Makes it "/" and takes /proc, /sys and /dev along. Refuses when that does not work. */
void root_switch(void);

/* Then, at any time, once: gives the initrd's memory back. */
void root_free_initrd(void);

#endif
