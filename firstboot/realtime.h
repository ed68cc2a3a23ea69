/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time of day, without NTP: the kernel starts with the clock that the machine has, and where KVM offers its host's as a PTP clock
 * (drivers/ptp/ptp_kvm_common.c), we follow that. Elsewhere the kernel's clock goes by itself.
 */
#ifndef FIRSTBOOT_REALTIME_H
#define FIRSTBOOT_REALTIME_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "events.h"

enum realtime_action { REALTIME_LEAVE, REALTIME_SLEW, REALTIME_STEP };

/*
 * What to do about a clock that is @offset microseconds behind (negative: ahead of) the host's. @early: no application runs yet,
 * which could mind a jump. Pure.
 */
enum realtime_action realtime_decide(int64_t offset, bool early);

/* How many microseconds CLOCK_REALTIME is behind @clock; 0 or -errno. */
int realtime_measure(clockid_t clock, int64_t *ret);

/* Whether this may be a machine of KVM's, whose driver of the clock is then worth loading. */
bool realtime_may_have_clock(void);

/* Sets the clock, and follows from then on; nothing without such a clock. Never fatal. */
void realtime_start(struct events *e);

#endif
