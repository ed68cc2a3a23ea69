/* SPDX-License-Identifier: Apache-2.0 */
/* The file systems of the running appliance: the root stays read only, what must be written lives in memory.
 */
#ifndef FIRSTBOOT_WRITABLE_H
#define FIRSTBOOT_WRITABLE_H

#include "conf.h"

/*
 * Mounts /dev/pts, /dev/shm, and a tmpfs over /run, /tmp, /var/tmp and /var/log (where the root has them) and
 * each Writable= (where it must). Each tmpfs has the directories and symbolic links that the root has there,
 * with owner and mode, but not the files: so /var/log/nginx is there, and what has content is meant to be
 * read from the root. Fails the boot otherwise.
 */
void writable_mount_all(const struct conf *c);

#endif
