/* SPDX-License-Identifier: Apache-2.0 */
/* Bills of materials, read back and compared: which packages two images have, and in which versions. */
#ifndef MKAPPLIANCE_IMAGE_SBOM_H
#define MKAPPLIANCE_IMAGE_SBOM_H

#include "compose/installed.h"

struct sbom {
	char *path; /* of the document that was read */
	char *name; /* of the appliance */
	char *version;
	struct installed packages; /* sorted */
};

/*
 * @path: a manifest, a bill of materials in SPDX 2.x (what 'build' writes, or another tool: packages that have a package URL), or an image,
 * whose manifest lies beside it. Parser of untrusted bytes: what is neither is refused.
 */
int sbom_read(const char *path, struct sbom *ret, struct error *err);
/* The same from memory. */
int sbom_parse(const char *text, size_t len, const char *name, struct sbom *ret, struct error *err);
void sbom_free(struct sbom *s);
#define _cleanup_sbom_ __attribute__((cleanup(sbom_free)))

/* What became of a package; borrowed from the two lists. */
struct sbom_change {
	const struct installed_package *from; /* NULL: added */
	const struct installed_package *to;   /* NULL: removed */
};

struct sbom_changes {
	struct sbom_change *list; /* by name, architecture, type */
	size_t len;
	size_t cap;
};

/*
 * Packages are the same by type, name and architecture. Where several versions of one are installed, those that both have are equal, and the
 * rest are changes from one to the other in the order of the lists. Both lists are sorted.
 */
void sbom_compare(const struct installed *from, const struct installed *to, struct sbom_changes *ret);
void sbom_changes_free(struct sbom_changes *c);
#define _cleanup_sbom_changes_ __attribute__((cleanup(sbom_changes_free)))

#endif
