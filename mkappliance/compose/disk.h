/* SPDX-License-Identifier: Apache-2.0 */
/* [Base] Source=disk: the tree of a vendor's disk image, with packages installed by its own manager. */
#ifndef MKAPPLIANCE_COMPOSE_DISK_H
#define MKAPPLIANCE_COMPOSE_DISK_H

#include "compose/cache.h"
#include "compose/disk_install.h"

/*
 * The tree from the cache, or made: the image is opened read only, [Base] Packages= and the package files of [Package] Path=
 * are installed, [Scripts] Run= is run, what makes it one machine is removed. Adds the inputs to @result.
 */
int disk_base(const struct template *t, const struct cache *cache, struct compose_result *result,
	      struct cached *ret, struct error *err);

/* What the file @path of [Package] is. disk_base() installs it unless it is PACKAGE_OTHER, so that nobody else lays it over the tree. */
int disk_package_kind_of(const char *path, enum package_kind *ret, struct error *err);

#endif
