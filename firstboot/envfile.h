/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of "NAME=value" lines, as EnvironmentFile= of systemd.exec(5) has them: blank lines and those that begin with '#' or ';'
 * do not count, a value may stand in '...' or, with a backslash before what shall not be special, in "...". Nothing is expanded,
 * and a value ends with its line.
 */
#ifndef FIRSTBOOT_ENVFILE_H
#define FIRSTBOOT_ENVFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "image/abi.h"

#define ENVFILE_SIZE ABI_ENV_FILE_MAX

/* The variables so far. The text of each lives elsewhere. */
struct env {
	const char **ptr; /* ends in NULL */
	size_t len;
	size_t max; /* without the NULL */
};

/* Adds @assignment ("NAME=value"), in place of one of the same name. False: there is no room. */
bool env_set(struct env *e, const char *assignment);

/* Whether it has the name of @assignment. */
bool env_has(const struct env *e, const char *assignment);

/*
 * Takes @text apart in place; text[len] must be there and is written to. 0, or the number of the line that is not as said, or
 * has no room; those before it are set.
 */
unsigned envfile_parse(char *text, size_t len, struct env *e);

#endif
