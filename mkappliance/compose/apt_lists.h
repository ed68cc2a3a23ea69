/* SPDX-License-Identifier: Apache-2.0 */
/* The indexes of packages that apt fetched (deb repositories' Packages files): where an installed package came from. */
#ifndef MKAPPLIANCE_COMPOSE_APT_LISTS_H
#define MKAPPLIANCE_COMPOSE_APT_LISTS_H

#include "compose/dpkg.h"
#include "compose/installed.h"

/*
 * Appends those of the installed packages @d that an index in directory @dir (var/lib/apt/lists) has, each with the address and the SHA-256
 * of its file. @sources, the text of sources.list, says how a repository is reached; a name of an index says only where it is.
 */
int apt_lists_note(const char *dir, const struct dpkg *d, const char *sources, struct installed *ret,
		   struct error *err);

/* One index: @text is its content. @uri is the repository's. */
void apt_lists_scan(const char *text, const struct dpkg *d, const char *uri, struct installed *ret);

/* The address of a repository by the name of an index of it, to be freed: "http://x/debian" of "x_debian_dists_s_main_binary-amd64_Packages". */
char *apt_lists_uri(const char *name, const char *sources);

#endif
