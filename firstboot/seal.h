/* SPDX-License-Identifier: Apache-2.0 */
/* What no program of the appliance needs, taken away before the first of them starts. */
#ifndef FIRSTBOOT_SEAL_H
#define FIRSTBOOT_SEAL_H

#include "conf.h"

/* Sysctl=, HidePid= and Lockdown=. To be called when all modules are loaded. Fails the boot when one does not work. */
void seal(const struct conf *c);

/* The file below /proc/sys of @name; dots part its components. @ret is cut where it has no room. Pure. */
void seal_path(const char *name, size_t len, struct line *ret);

#endif
