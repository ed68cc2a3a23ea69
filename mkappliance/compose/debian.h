/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of Debian packages, made by mmdebstrap(1). */
#ifndef MKAPPLIANCE_COMPOSE_DEBIAN_H
#define MKAPPLIANCE_COMPOSE_DEBIAN_H

#include "compose/cache.h"

/* [Base] Source=debian: the tree with all its packages, from the cache or made. */
int debian_base(const struct template *t, const struct cache *cache, struct cached *ret, struct error *err);

/*
 * [Kernel] Package=: a layer of boot/vmlinuz-RELEASE and usr/lib/modules/RELEASE with the files of
 * depmod(8), nothing else. The package may be one that only depends on the real one.
 */
int debian_kernel(const struct template *t, const struct cache *cache, struct cached *ret, struct error *err);

/*
 * What apt of the host fetches from, as text of sources.list(5), to be freed; NULL: the template does not say it, and the base's own
 * sources.list does.
 */
char *debian_sources(const struct template *t);

/* Adds the template's keyrings to a key of the cache. */
int debian_key_add_keyrings(const struct template *t, struct buf *key, struct error *err);

/* SOURCE_DATE_EPOCH for what packages run. */
int64_t debian_epoch(const struct template *t);

const char *debian_architecture(enum architecture arch); /* "amd64" */

#endif
