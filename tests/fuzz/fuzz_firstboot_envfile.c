/* SPDX-License-Identifier: Apache-2.0 */
/* The init's parser of environment files; the input is the file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../firstboot/envfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *vars[9];
	struct env e = {.ptr = vars, .max = 8};
	char *text = malloc(len + 1);

	if (!text)
		abort();
	if (len)
		memcpy(text, data, len);
	(void)envfile_parse(text, len, &e);
	if (e.len > e.max || (e.len && vars[e.len]))
		abort();
	for (size_t i = 0; i < e.len; i++) {
		/* Each lies in the text, ends there, and is an assignment whose name no other has. */
		if (vars[i] < text || vars[i] > text + len ||
		    !memchr(vars[i], '\0', (size_t)(text + len + 1 - vars[i])))
			abort();
		if (!strchr(vars[i], '=') || *vars[i] == '=')
			abort();
		for (size_t k = 0; k < i; k++)
			if (strncmp(vars[i], vars[k], strcspn(vars[i], "=") + 1) == 0)
				abort();
	}
	free(text);
	return 0;
}
