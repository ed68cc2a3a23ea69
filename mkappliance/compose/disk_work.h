/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a disk base is worked on: CACHE/work/disk-XXXXXX, private, locked (flock) as long as its process lives, removed
 * with it. What a killed process left is removed by the next one.
 */
#ifndef MKAPPLIANCE_COMPOSE_DISK_WORK_H
#define MKAPPLIANCE_COMPOSE_DISK_WORK_H

#include <sys/types.h>

#include "compose/cache.h"
#include "lib/scratch.h"

/* Removes what is left of others that are gone, and makes one's own. */
int disk_work_open(const struct cache *cache, struct scratch *ret, struct error *err);

/*
 * Whether @image is a disk that can be a base, as far as its first bytes tell (disk_format.h); those of a qcow2 or vmdk
 * are read by qemu-img.
 */
int disk_work_look(const struct scratch *w, const char *image, const char **ret_format, struct error *err);

/*
 * libguestfs keeps its sockets elsewhere, in a directory that stays when we are killed: notes it down in @dir (a
 * disk_work's path) for whoever cleans up. @pid: of its qemu, whose arguments name it.
 */
void disk_work_note_sockets(const char *dir, pid_t pid);

#endif
