/* SPDX-License-Identifier: Apache-2.0 */
/* Alpine's packages: a package file, and the database of what is installed. */
#ifndef MKAPPLIANCE_COMPOSE_APK_H
#define MKAPPLIANCE_COMPOSE_APK_H

#include <stdbool.h>

#include "compose/installed.h"

#define APK_HEAD 8192u

/*
 * Whether these are the first bytes (APK_HEAD of them, or the whole file) of a package: of version 3, apk-v3(5), or of version 2, apk-v2(5),
 * which is a tar in gzip that begins with the signature or with .PKGINFO. Looks at untrusted bytes.
 */
bool apk_begins(const void *head, size_t len);

/*
 * Appends the packages of the database (lib/apk/db/installed) to @ret: paragraphs of "X:value" lines; apk-v2(5) has the letters. Parser
 * of untrusted bytes; @name is for messages.
 */
int apk_parse(const char *text, size_t len, const char *name, struct installed *ret, struct error *err);

#endif
