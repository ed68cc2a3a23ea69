/* SPDX-License-Identifier: Apache-2.0 */
/* How a child becomes a program of a service: user, groups, directory, environment, limits, a session of its own. */
#ifndef FIRSTBOOT_APP_H
#define FIRSTBOOT_APP_H

#include <stdbool.h>

#include "child.h"
#include "conf.h"
#include "line.h"
#include "out.h"

/* What is run, beside what the configuration says of every program of the service. */
struct app_program {
	const char *const *argv; /* ends in NULL */
	bool as_root;
};

/* Starts it. 0, or -1 and @why says what did not work; then nothing is left of it. */
int app_start(const struct conf_service *c, const struct app_program *program, struct child *ret,
	      struct output *ret_output, struct line *why);

#endif
