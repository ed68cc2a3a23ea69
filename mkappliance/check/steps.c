/* SPDX-License-Identifier: Apache-2.0 */
#include "check/steps.h"

#include <stdlib.h>

#include "lib/mem.h"

void check_steps_add(struct check_steps *s, bool ok, const char *name, char *detail)
{
	array_grow(s->list, s->len, s->cap);
	s->list[s->len++] = (struct check_step){.name = xstrdup(name), .ok = ok, .detail = detail};
}

const struct check_step *check_steps_bad(const struct check_steps *s)
{
	for (size_t i = 0; i < s->len; i++)
		if (!s->list[i].ok)
			return &s->list[i];
	return NULL;
}

void check_steps_free(struct check_steps *s)
{
	for (size_t i = 0; i < s->len; i++) {
		free(s->list[i].name);
		free(s->list[i].detail);
	}
	free(s->list);
	*s = (struct check_steps){0};
}
