/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the proof share. */
#ifndef MKAPPLIANCE_CHECK_VERIFY_INTERNAL_H
#define MKAPPLIANCE_CHECK_VERIFY_INTERNAL_H

#include "check/verify.h"

struct verify {
	int fd;
	const char *name; /* of the image, for messages */
	uint64_t size;	  /* of the file */
	const struct manifest *m;
	const char *blocks_path;
	const struct buf *certificate; /* of the signature of the root hash; NULL: any */
	unsigned threads;
	struct verify_report *report;
};

/* check/verify_report.c. Adds a line to the report. @format says what was checked, or what differs. */
void report_ok(struct verify *v, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void report_bad(struct verify *v, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Notes where the first difference is; later ones do not change it. Takes @owner. */
void report_place(struct verify *v, const char *partition, uint64_t block, char *owner);

/* check/verify_front.c: what is read before the root, each by its own reader. 0 also when something differs. */
int verify_table(struct verify *v, struct error *err);
int verify_boot_files(struct verify *v, struct error *err);
int verify_superblock(struct verify *v, struct error *err);

/* check/verify_pcrs.c: that the manifest's PCRs follow from the UKI. */
int verify_pcrs(struct verify *v, const void *uki, size_t len, struct error *err);

/* check/verify_signature.c: the signature of the root hash. */
int verify_signature(struct verify *v, struct error *err);

/* check/verify_data.c: the hash tree from its root downwards, then every 512 KiB block of the disk. */
int verify_tree(struct verify *v, const struct verity_geometry *g, bool *ret_trusted, struct error *err);
int verify_content(struct verify *v, const struct verity_geometry *g, bool tree_trusted, struct error *err);

#endif
