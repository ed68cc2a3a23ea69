/* SPDX-License-Identifier: Apache-2.0 */
/* What a program writes to standard output and error, on its way to the console. */
#ifndef FIRSTBOOT_OUT_H
#define FIRSTBOOT_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "image/abi.h"

#define OUTPUT_LINE 1000 /* bytes; longer lines are folded */

struct output {
	int fd; /* read end, non-blocking; -1 when all writers are gone */
	size_t prefix;
	size_t len; /* of line, the prefix with it */
	unsigned lost;
	char line[sizeof ABI_APP_PREFIX + ABI_SERVICE_NAME_MAX + OUTPUT_LINE + 2];
};

/* @name: of the service; the main one's lines have ABI_APP_PREFIX alone. */
void out_init(struct output *o, const char *name);

/* Takes @fd, in place of one whose last words are forwarded. */
void out_open(struct output *o, int fd);

/* Forwards what is there, whole lines. @rest: also a last line without end. */
void out_forward(struct output *o, bool rest);

/* Nothing that is still written is wanted. */
void out_close(struct output *o);

#endif
