/* SPDX-License-Identifier: Apache-2.0 */
#include "restart.h"

bool restart_next(struct restart *r, uint64_t now, uint64_t limit, uint64_t window, uint64_t *ret_delay)
{
	if (r->count == 0 || now - r->since > window)
		*r = (struct restart){.since = now, .delay = RESTART_FIRST_MS};
	if (r->count >= limit)
		return false;
	r->count++;
	*ret_delay = r->delay;
	r->delay = r->delay * 2 < RESTART_LAST_MS ? r->delay * 2 : RESTART_LAST_MS;
	return true;
}
