/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of manifests, and (input begins with "MKABLOCK") of lists of blocks. */
#include <stdlib.h>
#include <string.h>

#include "image/manifest.h"
#include "lib/cleanup.h"

/* What was read can be written, and reads the same. */
static void check(const struct manifest *m)
{
	_cleanup_manifest_ struct manifest *again = NULL;
	_cleanup_free_ char *text = manifest_text(m), *text_again = NULL;
	struct error err = ERROR_INIT;

	if (manifest_parse(text, strlen(text), "again", &again, &err) < 0)
		abort();
	text_again = manifest_text(again);
	if (strcmp(text, text_again) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_manifest_ struct manifest *m = NULL;
	struct error err = ERROR_INIT;
	struct block_digests d;

	if (len >= 8 && memcmp(data, "MKABLOCK", 8) == 0) {
		if (blocks_parse(data, len, "fuzz", &d, &err) == 0)
			block_digests_free(&d);
		return 0;
	}
	if (manifest_parse((const char *)data, len, "fuzz", &m, &err) == 0)
		check(m);
	return 0;
}
