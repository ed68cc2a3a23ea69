/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices this machine has, by what their buses say of them (modalias in sysfs). */
#ifndef FIRSTBOOT_DEVICE_H
#define FIRSTBOOT_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether it has one for @patterns: modaliases between blanks in which a '*' stands for any characters, as "pci:v00001AF4d*". Each
 * begins with the name of its bus. True also where that cannot be found out.
 * What is on the PCI bus is looked at once: the kernel has found it all before there is an init.
 */
bool device_is_here(const char *patterns);

/* It may have been plugged in since: look at it again. */
void device_forget(void);

/* Whether the first @len bytes of @pattern say the whole of @text. */
bool device_matches(const char *pattern, size_t len, const char *text);

#endif
