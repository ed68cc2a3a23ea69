/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of a unit: its files (EnvironmentFile=), and what a command makes of it ($NAME and ${NAME} in ExecStart=). */
#ifndef MKAPPLIANCE_COMPOSE_UNIT_ENV_H
#define MKAPPLIANCE_COMPOSE_UNIT_ENV_H

#include <stdbool.h>

#include "lib/error.h"
#include "lib/mem.h"

/* The value of @name (@len bytes of it) among "NAME=value"; NULL: it is not set. */
const char *env_get(const struct strlist *env, const char *name, size_t len);

/* Sets "NAME=value", in the place of the same name or at the end. */
void env_set(struct strlist *env, const char *assignment);

/* Whether @assignment is a name, as the shell takes it, '=' and a value. */
bool env_is_assignment(const char *assignment);

/*
 * Sets what a file of EnvironmentFile= says (systemd.exec(5)): comments, quotes, lines that go on. What is no assignment is passed
 * over with a warning that names @name.
 */
void env_parse_file(const char *text, size_t len, const char *name, struct strlist *env);

/*
 * The words that a command is run with: $NAME alone becomes the words of its value, ${NAME} its value, $$ a '$'. What is not set
 * is empty; its name is added to @unset.
 */
int env_expand(const struct strlist *words, const struct strlist *env, struct strlist *ret,
	       struct strlist *unset, struct error *err);

#endif
