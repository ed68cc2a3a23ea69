/* SPDX-License-Identifier: Apache-2.0 */
/* rebuild: an image made once more, from what its manifest says it was made of, in a private place that goes again. */
#ifndef MKAPPLIANCE_IMAGE_REBUILD_H
#define MKAPPLIANCE_IMAGE_REBUILD_H

#include "image/manifest.h"

struct rebuild_options {
	const char *manifest;	 /* of the build that is to be repeated */
	const char *source;	 /* the directory of the template, or the file */
	const char *cache_dir;	 /* whose layers may be used; NULL: none, everything is made anew */
	const char *attach;	 /* the signed UKI, when the image was signed elsewhere; NULL */
	const char *attach_root; /* the signature of the root hash, likewise */
	const char *init_path;	 /* as in struct image_options */
	bool offline;
	unsigned threads;
};

/*
 * 0: every byte of the image and of its manifest is the same. -EBADMSG (exit code 3): the first difference by partition, file and cause; all
 * inputs that differ are notes. @ret is the manifest of what was built here, to be freed by manifest_free(). Nothing stays on the disk.
 */
int rebuild(const struct rebuild_options *o, struct manifest **ret, struct error *err);

#endif
