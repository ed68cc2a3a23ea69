/* SPDX-License-Identifier: Apache-2.0 */
/* Mode=appliance, stage 2: PID 1 as the supervisor of one application. */
#ifndef FIRSTBOOT_SERVICE_H
#define FIRSTBOOT_SERVICE_H

#include "conf.h"

/* In the new root, all signals blocked. Ends with the machine. */
_Noreturn void service_run(const struct conf *c, int uevent_fd);

#endif
