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
 * disk, GUIDs of disk and partitions. That is a guard against mistakes, not a proof (mkappliance verify is).
 */
int subject_open(const char *image, struct subject *ret, struct error *err);

/* That @path, which option --@option would have written to, is not the image itself. @path NULL: it is not. */
int subject_is_not(const struct subject *s, const char *path, const char *option, struct error *err);
/* The same of each of a list. */
int subject_is_none_of(const struct subject *s, const struct strlist *paths, const char *option,
		       struct error *err);
void subject_free(struct subject *s);
#define _cleanup_subject_ __attribute__((cleanup(subject_free)))

#endif
