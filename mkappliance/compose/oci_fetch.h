/* SPDX-License-Identifier: Apache-2.0 */
/* Images of registries, fetched by skopeo(1). */
#ifndef MKAPPLIANCE_COMPOSE_OCI_FETCH_H
#define MKAPPLIANCE_COMPOSE_OCI_FETCH_H

#include "compose/oci_image.h"

/*
 * The image @reference ("docker://NAME[:TAG|@DIGEST]") for @arch as an archive of a layout that holds the registry's own manifest, byte
 * by byte: from the cache, or fetched. Who may see it, and by which certificates, is the business of skopeo's own files.
 */
int oci_fetch(const char *reference, enum architecture arch, const struct cache *cache, struct oci_store *ret,
	      struct error *err);

#endif
