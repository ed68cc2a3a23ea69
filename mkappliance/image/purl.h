/* SPDX-License-Identifier: Apache-2.0 */
/* Package URLs (package-url/purl-spec): one name for a package in every tool that looks for its vulnerabilities. */
#ifndef MKAPPLIANCE_IMAGE_PURL_H
#define MKAPPLIANCE_IMAGE_PURL_H

#include "compose/installed.h"

/*
 * "pkg:deb/debian/bash@5.2-1?arch=amd64&distro=debian-12". @os and @os_version are those of os-release, NULL where they are not known: then
 * deb means Debian, apk Alpine, and rpm has no name space. To be freed.
 */
char *purl_of_package(const struct installed_package *p, const char *os, const char *os_version);

/* "pkg:TYPE/NAME@VERSION?KEY=VALUE"; @version and @key may be NULL. Slashes of the name stay. To be freed. */
char *purl_of(const char *type, const char *name, const char *version, const char *key, const char *value);

#endif
