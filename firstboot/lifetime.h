/* SPDX-License-Identifier: Apache-2.0 */
/* When the machine has lived long enough. Pure. */
#ifndef FIRSTBOOT_LIFETIME_H
#define FIRSTBOOT_LIFETIME_H

#include <stdint.h>

/*
 * The end in ms since the kernel started: @seconds, less a part of @jitter (seconds, at most all of it) that @random chooses.
 * UINT64_MAX when @seconds is 0: never.
 */
uint64_t lifetime_end(uint64_t seconds, uint64_t jitter, uint64_t random);

#endif
