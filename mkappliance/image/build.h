/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image half: from (template, composed tree and kernel) to disk, manifest and block list. A pure function of its
 * inputs: no root, no mount, no clock, no randomness, no network, no shell.
 */
#ifndef MKAPPLIANCE_IMAGE_BUILD_H
#define MKAPPLIANCE_IMAGE_BUILD_H

#include <stdbool.h>

#include "compose/compose.h"
#include "image/kernel_digests.h"
#include "image/locked.h"
#include "image/manifest.h"
#include "template/template.h"

struct image_options {
	const char *output_dir;	  /* is created */
	const char *init_path;	  /* the static init; NULL: where this program was installed or built */
	unsigned threads;	  /* 0: one a processor */
	const char *unsigned_out; /* also write the UKI there, for a signer elsewhere; NULL */
	const char
		*root_hash_out;	 /* also write the root hash there, in hexadecimal without a line end; NULL */
	const char *attach_root; /* its signature, as that signer gave it back; NULL */
	const char *attach;	 /* the UKI as that signer gave it back: its signature is taken over; NULL */
	const struct locked *locked;   /* the earlier build that this one must equal; NULL: none */
	struct kernel_hashing *kernel; /* begun by compose_run() with the same kernel; NULL: not */
	bool sha256;		       /* also NAME-VERSION.raw.sha256, for sha256sum -c */
	bool cyclonedx;		       /* also NAME-VERSION.cdx.json */
	/* Who vouches for the build, as in sign_dsse.h; NULL: [Sign] ProvenanceKey=. */
	const char *provenance_key;
	bool unsigned_provenance; /* neither of them is used */
};

struct image_result {
	char *image_path;
	char *manifest_path;
	char *blocks_path;
	char *spdx_path;
	char *provenance_path;
	char *cyclonedx_path; /* NULL unless asked for */
	char *sha256_path;    /* as well */
	struct manifest *manifest;
};

/* All outputs appear together, the image last; on failure none of them does and older ones stay. */
int image_build(const struct template *t, struct compose_result *c, const struct image_options *o,
		struct image_result *ret, struct error *err);
void image_result_free(struct image_result *r);
#define _cleanup_image_ __attribute__((cleanup(image_result_free)))

#endif
