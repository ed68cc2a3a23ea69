/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt of a probe. libcurl stays inside probe_try.c. */
#ifndef MKAPPLIANCE_VM_PROBE_TRY_H
#define MKAPPLIANCE_VM_PROBE_TRY_H

#include <stdint.h>

#include "lib/error.h"
#include "lib/mem.h"

struct probe_answer {
	int status;
	struct buf body; /* at most PROBE_BODY_MAX bytes of it */
};

void probe_answer_free(struct probe_answer *a);
#define _cleanup_probe_answer_ __attribute__((cleanup(probe_answer_free)))

/*
 * GET http://127.0.0.1:PORT/PATH without proxy and redirections. -EAGAIN when there was no answer at all and trying again may help, any other
 * code when not.
 */
int probe_try_http(uint16_t port, const char *path, long timeout_ms, struct probe_answer *ret, struct error *err);

/*
 * Connects, and waits a moment: qemu accepts on the host before it asks the guest, so only a connection that stays open, or
 * speaks, is one. -EAGAIN as above.
 */
int probe_try_tcp(uint16_t port, long timeout_ms, struct error *err);

#endif
