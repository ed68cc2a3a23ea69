/* SPDX-License-Identifier: Apache-2.0 */
/* [Base] Source=oci, and container images as [Package] Path=: opened, merged layer by layer, and noted in the result. */
#ifndef MKAPPLIANCE_COMPOSE_OCI_H
#define MKAPPLIANCE_COMPOSE_OCI_H

#include "compose/compose.h"
#include "compose/merge.h"
#include "compose/oci_image.h"

/* The image that [Base] Image= names. */
int oci_open_base(const struct template *t, const struct cache *cache, struct oci_image *ret,
		  struct error *err);

/* The image in the store that a package turned out to be; takes *@store. */
int oci_open_package(const struct template *t, struct oci_store *store, struct oci_image *ret,
		     struct error *err);

/*
 * Merges its layers as layers *@number and following, and leaves in *@number the next one. @kind ("base" or "package") and @name are
 * of the input that stands for the image; each layer is one of kind "layer", the configuration one of kind "config". The labels go to the result.
 */
int oci_merge(const struct oci_image *image, const char *kind, const char *name, const struct cache *cache,
	      struct merge *m, unsigned *number, unsigned flags, struct compose_result *result,
	      struct error *err);

/*
 * A container image has no kernel: when the template names none, and the base holds none, the default goes to @t. So does a console,
 * without which nobody would see the machine's records.
 */
void oci_default_kernel(struct template *t, const struct merge *m);

#endif
