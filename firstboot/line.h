/* SPDX-License-Identifier: Apache-2.0 */
/* Text in a fixed buffer: the init's replacement for stdio. What does not fit is cut and never written past
 * the end. */
#ifndef FIRSTBOOT_LINE_H
#define FIRSTBOOT_LINE_H

#include <stdarg.h>
#include <stddef.h>

#define LINE_MAX_BYTES 2048

/* Always NUL terminated. {0} is an empty line. */
struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

void line_reset(struct line *l);
void line_bytes(struct line *l, const char *bytes, size_t len);

/* %s %c %d %u %lu %llu %x %%, and %0Nu and %0Nx with one digit N. Anything else is printed as it stands. */
void line_printf(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void line_vprintf(struct line *l, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));

/*
 * A JSON string with its quotes, at most @max bytes of it; longer text is cut between characters. Bytes
 * outside printable ASCII become \u00XX, so that the result is valid JSON whatever came in.
 */
void line_json(struct line *l, const char *text, size_t max);

#endif
