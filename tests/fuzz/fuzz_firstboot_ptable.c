/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The init's reader of partition tables; the input is the header's sector, then the entries. The header's checksum
 * is made right.
 */
#include <stdlib.h>
#include <string.h>

#include "../../firstboot/ptable.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void reseal(uint8_t *p, size_t len)
{
	size_t header = len >= 92 ? p[12] | (size_t)p[13] << 8 : 0;
	uint32_t crc = 0xffffffff;

	if (header < 92 || header > len)
		return;
	memset(p + 16, 0, 4);
	for (size_t i = 0; i < header; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	for (int i = 0; i < 4; i++)
		p[16 + i] = (uint8_t)(~crc >> 8 * i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t sector = len < 512 ? len : 512;
	uint8_t *p = malloc(len ? len : 1);
	char uuid[PTABLE_UUID_TEXT];
	struct ptable t;
	uint64_t first;

	if (!p)
		abort();
	if (len)
		memcpy(p, data, len);
	reseal(p, sector);
	if (ptable_header(p, sector, 1, &t) == 0) {
		if ((uint64_t)t.entry_count * t.entry_size > PTABLE_ENTRIES_MAX)
			abort();
		(void)ptable_check(&t, p + sector, len - sector);
		for (uint64_t n = 0; n < (uint64_t)t.entry_count + 2; n++)
			if (ptable_partition(&t, p + sector, len - sector, n, uuid, &first) == 0 &&
			    strlen(uuid) != PTABLE_UUID_TEXT - 1)
				abort();
	}
	free(p);
	return 0;
}
