/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A control group for each service (Documentation/admin-guide/cgroup-v2.rst): what it may take of the machine, who of its
 * processes is left, and whether memory ran out. On a kernel without them there is nothing of this, and only limits that were
 * asked for are an error.
 */
#ifndef FIRSTBOOT_CGROUP_H
#define FIRSTBOOT_CGROUP_H

#include <stdint.h>

/* Mounts the hierarchy. 0 or -errno; -ENODEV: the kernel has none. */
int cgroup_mount(void);

/* It is mounted. Before, the rest does nothing. */
void cgroup_use(void);

/* Makes the group of service @name; 0 is no limit of @memory (bytes) or @tasks. 0 or -errno. */
int cgroup_make(const char *name, uint64_t memory, uint64_t tasks);

/* Moves the calling process there. 0, or -1 and errno. */
int cgroup_enter(const char *name);

/* SIGKILL to all that is in it. */
void cgroup_kill(const char *name);

/* How many of its processes were killed because memory ran out, ever. */
uint64_t cgroup_oom_kills(const char *name);

/* The number behind "@key " at the start of a line of @text; 0 where there is none. Pure. */
uint64_t cgroup_value(const char *text, const char *key);

#endif
