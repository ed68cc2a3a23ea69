/* SPDX-License-Identifier: Apache-2.0 */
/* A layer of a container image as a plain tar in the cache. */
#ifndef MKAPPLIANCE_COMPOSE_OCI_LAYER_H
#define MKAPPLIANCE_COMPOSE_OCI_LAYER_H

#include "compose/oci_image.h"

/* A layer may expand to OCI_EXPAND_FREE + OCI_EXPAND_RATIO times its size, and in no case to more than OCI_EXPAND_MAX. */
#define OCI_EXPAND_FREE	 ((uint64_t)256 << 20)
#define OCI_EXPAND_RATIO 256u
#define OCI_EXPAND_MAX	 ((uint64_t)64 << 30)

/*
 * Layer @number (from 0) of @image, listed. It is read, checked against its size, digest and diff_id, and unpacked once; from then on
 * the cache has it under these. What differs is refused (exit code 3).
 */
int oci_layer_get(const struct oci_image *image, size_t number, const struct cache *cache, struct layer *ret,
		  struct error *err);

/* How many bytes a layer of @size may expand to. */
uint64_t oci_expand_limit(uint64_t size);

#endif
