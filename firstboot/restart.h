/* SPDX-License-Identifier: Apache-2.0 */
/* How often and how soon a service is started again. Pure. */
#ifndef FIRSTBOOT_RESTART_H
#define FIRSTBOOT_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#define RESTART_FIRST_MS 100 /* doubles with each restart */
#define RESTART_LAST_MS	 10000

/* {0}: it was never restarted. */
struct restart {
	uint64_t since; /* ms of the first restart that counts */
	uint64_t count;
	uint64_t delay;
};

/*
 * Whether it may be started again at @now (ms), and after how long: at most @limit times in @window ms, which begin with the
 * first restart. After a window without the limit being reached all begins anew.
 */
bool restart_next(struct restart *r, uint64_t now, uint64_t limit, uint64_t window, uint64_t *ret_delay);

#endif
