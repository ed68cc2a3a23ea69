/* SPDX-License-Identifier: Apache-2.0 */
/* What a newer package says of itself: the vulnerabilities that its changelog names as fixed since an older version. */
#ifndef MKAPPLIANCE_COMPOSE_CHANGELOG_H
#define MKAPPLIANCE_COMPOSE_CHANGELOG_H

#include "compose/installed.h"
#include "compose/tree.h"

/*
 * The CVE ids ("CVE-2024-12345") in the entries of a Debian changelog (deb-changelog(5)) above the one of version @since, each once, as they come.
 * A changelog without that version: those of its newest entry. Untrusted text. Appends to @ret.
 */
void changelog_cves(const char *text, size_t len, const char *since, struct strlist *ret);

/*
 * The same of package @to in @t, which replaces @from: from /usr/share/doc/NAME/changelog.Debian.gz or changelog.gz. Nothing for packages of another
 * kind, or without one.
 */
void changelog_of_package(const struct tree *t, const struct installed_package *from,
			  const struct installed_package *to, struct strlist *ret);

#endif
