/* SPDX-License-Identifier: Apache-2.0 */
/* Mode=appliance, stage 2: PID 1 as the supervisor of the services, from their start to the machine's end. */
#ifndef FIRSTBOOT_SUPERVISE_H
#define FIRSTBOOT_SUPERVISE_H

#include "conf.h"

/* How far the machine is, for those who tell others. */
enum supervise_phase { PHASE_STARTING, PHASE_READY, PHASE_DRAINING, PHASE_STOPPING };
enum supervise_phase supervise_phase(void);

/* In the new root, all signals blocked. Ends with the machine. */
_Noreturn void supervise_run(const struct conf *c, int uevent_fd);

#endif
