/* SPDX-License-Identifier: Apache-2.0 */
/* Why a package manager in a guest failed, by its own words. Pure functions. */
#ifndef MKAPPLIANCE_COMPOSE_DISK_REASON_H
#define MKAPPLIANCE_COMPOSE_DISK_REASON_H

#include <stdbool.h>

#include "lib/mem.h"

/*
 * What the lines of @output say of why installing failed: the package and who needs it, the file and whose it is, the script. With @failed
 * unset the manager ended well, and only what means failure all the same counts, of which it merely warns. NULL: nothing that is known. To
 * be freed.
 */
typedef char *disk_reason(const struct strlist *output, bool failed);

/* apt and dpkg, and all that install RPMs. */
disk_reason disk_reason_any;
disk_reason disk_reason_apk;

#endif
