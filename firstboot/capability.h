/* SPDX-License-Identifier: Apache-2.0 */
/* What a program may do beside what its user may (capabilities(7)). For a child between fork and exec. */
#ifndef FIRSTBOOT_CAPABILITY_H
#define FIRSTBOOT_CAPABILITY_H

#include <stdint.h>

/* Takes all but @mask out of the bounding set, and keeps them over a change of user. 0, or -1 and errno. */
int capability_bound(uint64_t mask);

/* After the change of user: exactly those of @mask that the kernel has, in every set; over execve(2) too. */
int capability_set(uint64_t mask);

#endif
