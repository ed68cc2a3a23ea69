/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of compose/: lists of the result. */
#ifndef MKAPPLIANCE_COMPOSE_INTERNAL_H
#define MKAPPLIANCE_COMPOSE_INTERNAL_H

#include "compose/cache.h"
#include "compose/compose.h"
#include "compose/layer.h"

/* Copies @kind and @name. The result stays valid until the next call: for the fields that may be NULL. */
struct compose_input *compose_add_input(struct compose_result *r, const char *kind, const char *name,
					const struct sha256 *digest, uint64_t size);

/* The same with one that is made already: takes over what is in it, and zeroes it. */
void compose_take_input(struct compose_result *r, struct compose_input *in);

/*
 * Takes what the source wrote down of the packages that it installed into @c (installed.h), to be joined with the databases of the
 * finished tree. Nothing when it wrote nothing.
 */
int compose_take_note(struct compose_result *r, const struct cached *c, struct error *err);

/* Refuses a base that is not what [Base] Checksum= says; @path names it. */
int compose_check_base(const struct template *t, const char *path, const struct sha256 *digest,
		       struct error *err);

/*
 * SHA-256 of what a layer is, whatever it was listed from: paths, types, modes, owners, links, attributes
 * and content, no times. *@ret_size is the sum of the sizes.
 */
int layer_digest(const struct layer *l, struct sha256 *ret, uint64_t *ret_size, struct error *err);

/*
 * The same without the content, for directories of any size: their bytes are read once in a build, when
 * they go to the disk, and the root hash stands for them.
 */
int layer_listing_digest(const struct layer *l, struct sha256 *ret, uint64_t *ret_size, struct error *err);

#endif
