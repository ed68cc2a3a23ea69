/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of envelopes and statements. */
#include <assert.h>

#include "image/provenance.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct error err = ERROR_INIT;
	struct provenance p;

	if (provenance_parse((const char *)data, len, "fuzz", NULL, &p, &err) < 0)
		assert(err.exit == EXIT_REFUSED && err.text[0]);
	return 0;
}
