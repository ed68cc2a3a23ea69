/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel command line, which anybody may have added to when Secure Boot is off. */
#ifndef FIRSTBOOT_CMDLINE_H
#define FIRSTBOOT_CMDLINE_H

/* Refuses unless /proc/cmdline is @expected to the byte. */
void cmdline_check(const char *expected);

#endif
