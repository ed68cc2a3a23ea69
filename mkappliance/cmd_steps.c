/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_steps.h"

#include <stdio.h>

#include "cmd.h"
#include "lib/cleanup.h"

void cmd_steps_print(const struct check_steps *s)
{
	for (size_t i = 0; i < s->len; i++) {
		_cleanup_free_ char *detail = cmd_plain(s->list[i].detail);

		printf("%-10s %-16s %s\n", s->list[i].ok ? "ok" : "DIFFERS", s->list[i].name, detail);
	}
}

struct json *cmd_steps_json(const struct check_steps *s)
{
	struct json *j = js_array_new();

	for (size_t i = 0; i < s->len; i++) {
		struct json *step = js_object_new();

		js_set_string(step, "check", s->list[i].name);
		js_set_bool(step, "ok", s->list[i].ok);
		js_set_string(step, "detail", s->list[i].detail);
		js_append(j, step);
	}
	return j;
}

int cmd_steps_refuse(const struct check_steps *s, const char *what, struct error *err)
{
	const struct check_step *bad = check_steps_bad(s);

	return bad ? error_refuse(err, "%s: %s: %s", what, bad->name, bad->detail)
		   : error_refuse(err, "%s", what);
}
