/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the start that need not be done by process 1, see beside.h. */
#ifndef FIRSTBOOT_START_H
#define FIRSTBOOT_START_H

#include "conf.h"

enum start_part {
	START_FIRST, /* FirstModule=; 0 */
	START_SIDE,  /* HashModule=, SideModule=; 0 */
	/* Mode=appliance */
	START_SETUP, /* what needs no root: loopback interface, control groups; 1 where the kernel has these, else 0: cgroup_use() then */
	START_DRIVERS, /* RootModule= of the root; 0 */
	START_COUNT,
};

/* Loads modules, in their order, but those that are for devices which are not there. 0, or -errno and which of them. */
int start_load(const struct conf_list *paths, struct line *why);

/* Those that find the disk once more: devices may have been plugged in since. What fails now was told or is missed. */
void start_load_late(const struct conf *c);

/* Begins them. /proc and /sys must be there, and stay where they are until START_SETUP has ended. */
void start_beside(const struct conf *c);

#endif
