/* SPDX-License-Identifier: Apache-2.0 */
/* rebuild --refresh: the same template with the packages of today. Nothing is patched: what is newer becomes another image. */
#ifndef MKAPPLIANCE_IMAGE_REFRESH_H
#define MKAPPLIANCE_IMAGE_REFRESH_H

#include "image/build.h"
#include "image/sbom.h"

struct refresh_options {
	const char *manifest; /* of the image that is deployed */
	const char *source;   /* the directory of the template, or the file */
	const char
		*version; /* of the new image; NULL: the template's. It must be another than the old one's */
	const char *cache_dir; /* as in struct compose_options: new layers go there */
	const char *output_dir;
	const char *provenance_key; /* as in struct image_options */
	const char *init_path;	    /* as well */
	unsigned threads;
};

struct refresh_result {
	struct manifest *old;
	struct sbom_changes changes; /* from the old image to the new one; borrowed from the two manifests */
	struct strlist *cves;	     /* of each change: what the newer package's changelog says was fixed */
	struct image_result image;   /* empty when no package changed: nothing was built */
};

/*
 * Asks the package managers anew, compares, and builds when a package is another. @told, when not NULL, is called before the build: the result has all
 * but the image then.
 */
int refresh(const struct refresh_options *o, void (*told)(const struct refresh_result *r, void *user),
	    void *user, struct refresh_result *ret, struct error *err);
void refresh_result_free(struct refresh_result *r);
#define _cleanup_refresh_ __attribute__((cleanup(refresh_result_free)))

#endif
