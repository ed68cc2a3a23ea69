/* SPDX-License-Identifier: Apache-2.0 */
/* How the commands that prove something show what they looked at. */
#ifndef MKAPPLIANCE_CMD_STEPS_H
#define MKAPPLIANCE_CMD_STEPS_H

#include "check/steps.h"
#include "lib/error.h"
#include "lib/json.h"

/* A line each on standard output. */
void cmd_steps_print(const struct check_steps *s);
/* An array of check, ok and detail; the caller's. */
struct json *cmd_steps_json(const struct check_steps *s);
/* Exit code 3: @what, and the first step that differs. */
int cmd_steps_refuse(const struct check_steps *s, const char *what, struct error *err);

#endif
