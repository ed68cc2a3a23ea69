/* SPDX-License-Identifier: Apache-2.0 */
/* The application's process and its output. */
#ifndef FIRSTBOOT_APP_H
#define FIRSTBOOT_APP_H

#include <stdbool.h>
#include <sys/types.h>

#include "conf.h"

struct app {
	pid_t pid;
	int output_fd; /* read end, non-blocking; -1 when all writers are gone */
};

/* What is run, beside what the configuration says of every program of the appliance. */
struct app_program {
	const char *const *argv; /* ends in NULL */
	bool as_root;
};

/* Starts it: its user, groups, directory and environment, a session of its own. Fails the boot when it cannot
 * be executed. */
void app_start(const struct conf *c, const struct app_program *program, struct app *ret);

/* Forwards what it has written to the console, whole lines behind ABI_APP_PREFIX. @rest: also a last line
 * without end. */
void app_forward(struct app *a, bool rest);

/* Nothing that it still writes is wanted. */
void app_close(struct app *a);

#endif
