/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offline proof: reads an image again with readers that trust no length they read, and compares every byte with
 * what the manifest says was built.
 */
#ifndef MKAPPLIANCE_CHECK_VERIFY_H
#define MKAPPLIANCE_CHECK_VERIFY_H

#include <stdbool.h>

#include "image/manifest.h"
#include "lib/error.h"

/* One line of the report. */
struct verify_step {
	const char *name;   /* "partition table", "ESP", "UKI", "initrd", "superblock", "hash tree", "data", "blocks" */
	bool ok;
	char *detail;       /* what was checked, or what differs and where; owned */
};

struct verify_report {
	struct verify_step steps[16];
	size_t count;
	bool ok;
	/* The first difference, when there is one in a place that has one. */
	const char *partition; /* "root", ... or NULL */
	uint64_t block;        /* 4096-byte block inside the partition */
	char *owner;           /* file that owns it; owned, may be NULL */
};

/*
 * Checks @image against @m. Goes on after a difference where that makes sense, so that the report is whole. Returns 0 when everything was
 * looked at (see ret->ok), -errno when it could not be (unreadable, interrupted).
 */
int verify_image(const char *image, const struct manifest *m, struct verify_report *ret, struct error *err);
void verify_report_free(struct verify_report *r);

#endif
