/* SPDX-License-Identifier: Apache-2.0 */
/* The init's parser of /appliance.conf; the input is the file. */
#include <stdlib.h>
#include <string.h>

#include "../../firstboot/conf.h"
#include "../../firstboot/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Every value lies in the text and ends there. */
static void check(const char *value, const char *text, size_t len)
{
	if (value < text || value >= text + len || !memchr(value, '\0', len - (size_t)(value - text)))
		abort();
}

static void check_service(const struct conf *c, size_t i, const char *text, size_t len)
{
	const struct conf_service *s = &c->services[i];
	struct sock_filter program[FILTER_MAX];

	check(s->name, text, len);
	for (size_t k = 0; k < s->args.len; k++)
		check(s->args.ptr[k], text, len);
	if (s->system_calls && filter_build(s->system_calls, program) > FILTER_MAX)
		abort();
	/* It waits for earlier ones only. */
	if (!s->args.len || s->args.ptr[s->args.len] || (s->env.len && s->env.ptr[s->env.len]) ||
	    s->waits_for >> i)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct line detail;
	static struct conf c;
	char *text = malloc(len ? len : 1);

	if (!text)
		abort();
	if (len)
		memcpy(text, data, len);
	line_reset(&detail);
	if (conf_parse(text, len, &c, &detail) == 0) {
		check(c.root_hash, text, len);
		check(c.command_line, text, len);
		for (size_t i = 0; i < c.service_count && i < ABI_SERVICES_MAX; i++)
			check_service(&c, i, text, len);
		if (c.system == (c.service_count > 0) || c.service_count > ABI_SERVICES_MAX)
			abort();
	} else if (!detail.len || detail.len >= sizeof(detail.text)) {
		abort();
	}
	free(text);
	return 0;
}
