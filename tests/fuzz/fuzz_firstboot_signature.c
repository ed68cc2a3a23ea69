/* SPDX-License-Identifier: Apache-2.0 */
/* The init's reader of the partition root-verity-sig. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../firstboot/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t size = len / 4 * 3, got = 0;
	char *text = malloc(len ? len : 1), *out = malloc(size ? size : 1);

	if (!text || !out)
		abort();
	if (len)
		memcpy(text, data, len);
	if (signature_parse(text, len, out, size, &got) == 0 && (got == 0 || got > size))
		abort();
	free(text);
	free(out);
	return 0;
}
