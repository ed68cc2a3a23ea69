/* SPDX-License-Identifier: Apache-2.0 */
/* What is installed in a tree, from the databases of all package managers in it. */
#ifndef MKAPPLIANCE_COMPOSE_PACKAGES_H
#define MKAPPLIANCE_COMPOSE_PACKAGES_H

#include "compose/dpkg.h"
#include "compose/installed.h"
#include "compose/merge.h"

/*
 * Completes @list, in which are the packages that lie in the tree beside its databases: adds those of dpkg (var/lib/dpkg/status and
 * status.d), rpm and apk with source, vendor and license; fills in what the sources noted of them (@notes: repository, digest), sorts, and
 * keeps each one once. Notes of packages that are in no database are left out: they are not in the image.
 */
int packages_list(const struct merge *m, const struct installed *notes, struct installed *list,
		  struct error *err);

/* A package that dpkg knows, or that is unpacked as it would. */
void packages_add_deb(const struct dpkg_package *p, struct installed *list);

/* The database of dpkg alone: -ENOENT when the tree has none. */
int packages_read_dpkg(const struct merge *m, struct dpkg *ret, struct error *err);

#endif
