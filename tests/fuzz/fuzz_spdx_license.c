/* SPDX-License-Identifier: Apache-2.0 */
/* What a package says of its license: whatever it is, an expression of the right letters comes out, and with its references. */
#include <assert.h>
#include <string.h>

#include "compose/os_release.h"
#include "image/spdx_license.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-+() ";
	_cleanup_spdx_licenses_ struct spdx_licenses refs = {0};
	_cleanup_free_ char *text = xstrndup((const char *)data, len);
	_cleanup_free_ char *expression = spdx_license(text, &refs);
	_cleanup_free_ char *exact = xmemdup(data, len);
	_cleanup_free_ char *id = os_release_value(exact, len, "ID");

	assert(*expression && strspn(expression, allowed) == strlen(expression));
	assert(refs.ids.len == refs.names.len);
	for (size_t i = 0; i < refs.ids.len; i++)
		assert(strstr(expression, refs.ids.ptr[i]) &&
		       strncmp(refs.ids.ptr[i], "LicenseRef-", 11) == 0);
	assert(!id || *id);
	return 0;
}
