/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of upload journals: what it takes for done is within the image, and whole lines only. */
#include <stdlib.h>

#include "cloud/journal.h"
#include "cloud/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct journal_identity id = {.provider = "aws",
				      .region = "r",
				      .account = "1",
				      .blocks = {{0xab}},
				      .parameters = {{0xcd}},
				      .block_count = 64};
	struct journal_state s;
	struct error err = ERROR_INIT;
	uint64_t done = 0;
	size_t whole;

	if (journal_parse((const char *)data, len, "fuzz", &id, &s, &whole, &err) < 0)
		return 0;
	if (whole > len || (whole > 0 && data[whole - 1] != '\n'))
		abort();
	for (uint64_t i = 0; s.done && i < id.block_count; i++)
		done += bit_get(s.done, i);
	if (done != s.done_count)
		abort();
	journal_state_free(&s);
	return 0;
}
