/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debian's control files (deb-control(5)), the database of installed packages, and versions
 * (deb-version(7)).
 */
#ifndef MKAPPLIANCE_COMPOSE_DPKG_H
#define MKAPPLIANCE_COMPOSE_DPKG_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"
#include "lib/mem.h"

struct dpkg_package {
	char *name;
	char *version;
	char *architecture;
	char *status; /* "install ok installed"; NULL in a control file */
	char *source; /* "NAME" or "NAME (VERSION)"; NULL: as the package */
	char *maintainer;
	char *provides; /* NULL where there are none */
	char *depends;
	char *pre_depends;
};

struct dpkg {
	struct dpkg_package *list; /* in the order of the text */
	size_t len;
	size_t cap;
};

/* Parses paragraphs; those without Package and Version are an error. @name is for messages. */
int dpkg_parse(const char *text, size_t len, const char *name, struct dpkg *ret, struct error *err);
void dpkg_free(struct dpkg *d);
#define _cleanup_dpkg_ __attribute__((cleanup(dpkg_free)))

bool dpkg_installed(const struct dpkg_package *p);

/* The order of two versions: < 0, 0, > 0. */
int dpkg_version_compare(const char *a, const char *b);

/*
 * The first part of a Depends= value that nothing in @d satisfies, as text to be freed; NULL: all are. Not
 * a solver: architecture qualifiers and versions of provided names are not looked at.
 */
char *dpkg_first_unmet(const struct dpkg *d, const char *depends);

#endif
