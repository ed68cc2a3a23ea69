/* SPDX-License-Identifier: Apache-2.0 */
/* dm-verity superblock: what is taken must be just what we would have written. */
#include <stdlib.h>
#include <string.h>

#include "image/verity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct verity_superblock sb;
	struct verity_geometry g;
	struct error err = ERROR_INIT;
	uint8_t again[VERITY_BLOCK];

	if (verity_superblock_decode(data, len, &sb, &err) < 0)
		return 0;
	verity_superblock_encode(&sb, again);
	if (memcmp(again, data, VERITY_BLOCK) != 0)
		abort();
	if (verity_geometry(sb.data_blocks, &g, &err) < 0 || g.levels > VERITY_MAX_LEVELS)
		abort();
	return 0;
}
