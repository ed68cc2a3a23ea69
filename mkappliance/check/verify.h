/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offline proof: reads an image again with readers that trust no length they read, and compares every byte with
 * what the manifest says was built. Nothing is mounted, nothing is run.
 */
#ifndef MKAPPLIANCE_CHECK_VERIFY_H
#define MKAPPLIANCE_CHECK_VERIFY_H

#include <stdbool.h>

#include "check/steps.h"
#include "image/manifest.h"
#include "lib/error.h"

struct verify_report {
	struct check_steps steps;
	bool ok;
	/* The first difference inside a partition; partition is NULL when there is none. */
	const char *partition; /* "esp", "root", "root-verity", "root-verity-sig" */
	uint64_t block;	       /* 4096-byte block from the start of the partition */
	char *owner;	       /* of a block of root: the file, "inode table", ...; owned; NULL elsewhere */
	uint64_t differing;    /* data blocks of root that differ */
};

/*
 * Checks @image against @m. @certificate: DER of the one whose key must have signed the root hash; NULL: a signature is compared with
 * the manifest only. @blocks_path names the list of block digests, which tells where a difference
 * outside root lies; it may be NULL, and a list that does not belong to @m is not believed. Goes on after a difference where
 * that makes sense, so that the report is whole. Returns 0 when everything was looked at (see ret->ok), or a negative errno value
 * when it could not be (unreadable, interrupted). @ret is freed by verify_report_free() in either case.
 */
int verify_image(const char *image, const struct manifest *m, const char *blocks_path,
		 const struct buf *certificate, unsigned threads, struct verify_report *ret,
		 struct error *err);
void verify_report_free(struct verify_report *r);
#define _cleanup_report_ __attribute__((cleanup(verify_report_free)))

#endif
