/* SPDX-License-Identifier: Apache-2.0 */
/* [Base] Image= of Source=oci: which container image is meant. */
#ifndef MKAPPLIANCE_TEMPLATE_REFERENCE_H
#define MKAPPLIANCE_TEMPLATE_REFERENCE_H

#include <stdbool.h>

#include "lib/error.h"

#define REFERENCE_REGISTRY "docker://"

/* Strings are owned. */
struct reference {
	bool registry; /* docker://: @path is the whole reference, for skopeo */
	char *path;    /* absolute path of a layout or an archive */
	char *name;    /* which of its images, NULL: the only one */
};

/*
 * Takes "docker://NAME[:TAG|@sha256:HEX]", "PATH" or "PATH:NAME" apart. As both parts may hold colons, PATH ends at the first one before
 * which there is a file or directory; a relative one starts at @dir. Usage error when nothing is there.
 */
int reference_parse(const char *dir, const char *value, struct reference *ret, struct error *err);
void reference_free(struct reference *r);
#define _cleanup_reference_ __attribute__((cleanup(reference_free)))

#endif
