/* SPDX-License-Identifier: Apache-2.0 */
/* The console, or the kernel's log where there is none. Nothing here blocks for longer than
 * twice CONSOLE_PATIENCE_MS. */
#ifndef FIRSTBOOT_CONSOLE_H
#define FIRSTBOOT_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#define CONSOLE_PATIENCE_MS 1000

/*
 * Opens /dev/console and takes from whoever sits at its other end what could stop or forge our lines: XOFF
 * and echo. Without a console the lines go to /dev/kmsg; without either they are lost, and the machine runs
 * all the same.
 */
void console_open(void);

/* One whole line; @line ends in '\n'. 0 or -errno; -EAGAIN when the console did not take it in time. */
int console_write(const char *line, size_t len);

/* Whether it would take something now. */
bool console_ready(void);

/* The same, with the kernel's own messages held back meanwhile, and the line sent before this returns where
 * the console sends in time. */
int console_write_record(const char *line, size_t len);

#endif
