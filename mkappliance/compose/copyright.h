/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The licenses of a Debian package, out of usr/share/doc/PACKAGE/copyright where that is machine readable (Debian's
 * copyright-format 1.0, once DEP-5). Prose is not guessed at.
 */
#ifndef MKAPPLIANCE_COMPOSE_COPYRIGHT_H
#define MKAPPLIANCE_COMPOSE_COPYRIGHT_H

#include <stddef.h>

/*
 * The short names of the licenses of all its files, each once, in their order: "Expat AND (GPL-1+ or Artistic)". NULL when the text is
 * not of that format or names none. To be freed. Parser of untrusted bytes.
 */
char *copyright_licenses(const char *text, size_t len);

#endif
