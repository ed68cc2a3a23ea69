/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot record as a chart: where the time from power on of the kernel to the last record went, one bar a step. Input are the
 * console records of image/abi.h, which are not trusted: their number, texts and times are bounded here.
 */
#ifndef MKAPPLIANCE_VM_TIMELINE_H
#define MKAPPLIANCE_VM_TIMELINE_H

#include <stddef.h>

#include "lib/error.h"
#include "lib/json.h"

#define TIMELINE_MAX 200 /* bars; what comes after that is not drawn */

struct timeline_bar {
	char label[64];
	double from, to; /* seconds since the kernel started */
	enum { BAR_KERNEL, BAR_INTEGRITY, BAR_START, BAR_RUN, BAR_END } kind;
};

/* Zeroed to begin with; nothing to free. */
struct timeline {
	struct timeline_bar bars[TIMELINE_MAX];
	size_t count;
	double now; /* of the last record */

	/* Behind "verified": what comes between it and "started" is drawn again when that says its steps. */
	size_t mark;
	double mark_at;
};

/* The next record. What is no record, or goes back in time, is left out. */
void timeline_add(struct timeline *t, const struct json *record);

/* An SVG 1.1 document, whole or not at all. @title: "hello 1.0.0". */
int timeline_write(const struct timeline *t, const char *title, const char *path, struct error *err);

#endif
