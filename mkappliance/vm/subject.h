/* SPDX-License-Identifier: Apache-2.0 */
/* The image a command works on, with its manifest. */
#ifndef MKAPPLIANCE_VM_SUBJECT_H
#define MKAPPLIANCE_VM_SUBJECT_H

#include "image/manifest.h"
#include "lib/error.h"

struct subject {
	char *path; /* absolute */
	struct manifest *manifest;
};

/*
 * Finds the manifest beside the image and refuses the pair when they do not belong together: size of the
 * disk, partition table's GUID. That is a guard against mistakes, not a proof (mkappliance verify is).
 */
int subject_open(const char *image, struct subject *ret, struct error *err);
void subject_free(struct subject *s);
#define _cleanup_subject_ __attribute__((cleanup(subject_free)))

#endif
