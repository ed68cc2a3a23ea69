/* SPDX-License-Identifier: Apache-2.0 */
/*
 * modules.dep and modules.builtin: the input is the two texts with a 0 byte between. Every module is
 * resolved.
 */
#include <assert.h>
#include <string.h>

#include "compose/modules.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *zero = memchr(data, 0, len);
	size_t dep_len = zero ? (size_t)(zero - data) : len;
	const char *builtin = zero ? (const char *)zero + 1 : NULL;
	size_t builtin_len = zero ? len - dep_len - 1 : 0;
	_cleanup_modules_ struct modules *m = NULL;
	_cleanup_strlist_ struct strlist paths = {0};
	struct error err = ERROR_INIT;

	if (modules_parse((const char *)data, dep_len, builtin, builtin_len, "fuzz", &m, &err) < 0)
		return 0;
	for (const char *line = (const char *)data, *end = line + dep_len; line < end && paths.len < 1000;) {
		const char *nl = memchr(line, '\n', (size_t)(end - line));
		const char *stop = nl ? nl : end;
		const char *colon = memchr(line, ':', (size_t)(stop - line));

		if (colon) {
			_cleanup_free_ char *name = module_name_of(line, (size_t)(colon - line));
			size_t before = paths.len;

			/* What resolves without an error is loaded, or was by then, or is built in. */
			if (modules_resolve(m, name, false, &paths, &err) == 0)
				assert(paths.len >= before);
		}
		line = stop + 1;
	}
	return 0;
}
