/* SPDX-License-Identifier: Apache-2.0 */
#include "lifetime.h"

uint64_t lifetime_end(uint64_t seconds, uint64_t jitter, uint64_t random)
{
	if (seconds == 0)
		return UINT64_MAX;
	if (jitter > seconds)
		jitter = seconds;
	return seconds * 1000 - random % (jitter * 1000 + 1);
}
