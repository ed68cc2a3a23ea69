/* SPDX-License-Identifier: Apache-2.0 */
/* Alpine's database of installed packages (lib/apk/db/installed): paragraphs of "X:value" lines; apk-v2(5) has the letters. */
#ifndef MKAPPLIANCE_COMPOSE_APK_H
#define MKAPPLIANCE_COMPOSE_APK_H

#include "compose/installed.h"

/* Appends the packages to @ret. Parser of untrusted bytes; @name is for messages. */
int apk_parse(const char *text, size_t len, const char *name, struct installed *ret, struct error *err);

#endif
