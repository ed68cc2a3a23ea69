/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine says on its serial port: bytes that nobody can trust, made into lines. Escape sequences,
 * NULs and other control characters of the firmware go, long lines are cut, records of the init
 * (image/abi.h) and the kernel's last words are recognised. A record counts only at the start of a line;
 * the init marks what the application writes, so that a line of the application never looks like one.
 * Memory is bounded: one line and the last CONSOLE_TAIL of them.
 */
#ifndef MKAPPLIANCE_VM_CONSOLE_H
#define MKAPPLIANCE_VM_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/json.h"

#define CONSOLE_LINE_MAX 4096u
#define CONSOLE_TAIL	 40u

enum console_kind {
	CONSOLE_TEXT,
	CONSOLE_RECORD,	   /* of the init */
	CONSOLE_CORRUPTED, /* dm-verity found a block that does not match */
	CONSOLE_PANIC,	   /* the kernel stops */
	CONSOLE_DENIED,	   /* the firmware does not start what is not signed by its keys */
	CONSOLE_STUCK,	   /* the firmware crashed, or has nothing to start and waits for ever */
};

struct console_line {
	enum console_kind kind;
	const char *text;	   /* without control characters, valid until the callback returns */
	const char *event;	   /* CONSOLE_RECORD: "event" of it */
	const struct json *record; /* CONSOLE_RECORD: all of it */
};

struct console;

struct console *console_new(void (*on_line)(const struct console_line *line, void *data), void *data);
void console_free(struct console *c);
void console_freep(struct console **c);
#define _cleanup_console_ __attribute__((cleanup(console_freep)))

void console_feed(struct console *c, const void *bytes, size_t len);
/* The end of the stream ends a last line without a newline. */
void console_end(struct console *c);

/* The last lines, oldest first, at most @max of them; appended to @ret, one a line. */
void console_tail(const struct console *c, size_t max, struct strlist *ret);

#endif
