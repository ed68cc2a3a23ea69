/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt of an HTTP probe. libcurl stays inside http_probe.c. */
#ifndef MKAPPLIANCE_VM_HTTP_PROBE_H
#define MKAPPLIANCE_VM_HTTP_PROBE_H

#include <stdint.h>

#include "lib/error.h"
#include "lib/mem.h"

/* A longer body is read up to here only; what must be in it must be in this part. */
#define HTTP_BODY_MAX (1u << 20)

struct http_answer {
	int status;
	struct buf body; /* at most HTTP_BODY_MAX bytes of it */
};

void http_answer_free(struct http_answer *a);
#define _cleanup_http_answer_ __attribute__((cleanup(http_answer_free)))

/*
 * GET http://127.0.0.1:PORT/PATH without proxy and redirections. -EAGAIN when there was no answer at all
 * and trying again may help, any other code when not.
 */
int http_probe(uint16_t port, const char *path, long timeout_ms, struct http_answer *ret, struct error *err);

#endif
