/* SPDX-License-Identifier: Apache-2.0 */
/* The application's process and its output. */
#ifndef FIRSTBOOT_APP_H
#define FIRSTBOOT_APP_H

#include <sys/types.h>

#include "conf.h"

struct app {
	pid_t pid;
	int output_fd; /* read end, non-blocking; -1 when all writers are gone */
};

/* Starts it: its user, groups, directory and environment, a session of its own. Fails the boot when it cannot
 * be executed. */
void app_start(const struct conf *c, struct app *ret);

/* Forwards what it has written to the console, whole lines behind ABI_APP_PREFIX. @rest: also a last line
 * without end. */
void app_forward(struct app *a, bool rest);

#endif
