/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void error_one_line(char *text)
{
	for (char *p = text; *p; p++) {
		unsigned char next = (unsigned char)p[1];

		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if ((unsigned char)*p == 0xc2 && next >= 0x80 && next <= 0x9f)
			p[0] = p[1] = '?';
	}
}

#define LONGEST	  12288u /* of what is put together: a path or two, and what is wrong with them */
#define CAUSE_MAX 128u	 /* of strerror(3) */
#define ELLIPSIS  " ... "

static bool is_inside_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80; /* RFC 3629, section 3 */
}

/* A message that is too long loses its middle: it begins with the place and ends with the cause. */
static void keep(struct error *err, const char *text)
{
	size_t room = sizeof(err->text) - sizeof(ELLIPSIS), head = room / 2;
	size_t len = strlen(text);

	if (len < sizeof(err->text)) {
		memcpy(err->text, text, len + 1);
	} else {
		const char *tail = text + len - (room - head);

		while (head && is_inside_character(text[head]))
			head--;
		while (is_inside_character(*tail))
			tail++;
		snprintf(err->text, sizeof(err->text), "%.*s" ELLIPSIS "%s", (int)head, text, tail);
	}
	error_one_line(err->text);
}

static int set_v(struct error *err, enum exit_code exit, int code, const char *format, va_list ap)
	__attribute__((format(printf, 4, 0)));

static int set_v(struct error *err, enum exit_code exit, int code, const char *format, va_list ap)
{
	char text[LONGEST];

	err->exit = exit;
	err->code = code;
	vsnprintf(text, sizeof(text), format, ap);
	keep(err, text);
	return code;
}

int error_set(struct error *err, int code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	set_v(err, EXIT_FAILED, code, format, ap);
	va_end(ap);
	return code;
}

int error_errno(struct error *err, int code, const char *format, ...)
{
	char text[LONGEST];
	va_list ap;
	size_t len;

	va_start(ap, format);
	vsnprintf(text, sizeof(text) - CAUSE_MAX, format, ap);
	va_end(ap);
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, ": %s", strerror(-code));
	return error_set(err, code, "%s", text);
}

int error_usage(struct error *err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	set_v(err, EXIT_USAGE, -EINVAL, format, ap);
	va_end(ap);
	return -EINVAL;
}

int error_refuse(struct error *err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	set_v(err, EXIT_REFUSED, -EBADMSG, format, ap);
	va_end(ap);
	return -EBADMSG;
}

int error_prefix(struct error *err, const char *format, ...)
{
	char text[LONGEST];
	va_list ap;
	size_t len;

	va_start(ap, format);
	vsnprintf(text, sizeof(text) - sizeof(err->text) - 2, format, ap);
	va_end(ap);
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, ": %s", err->text);
	keep(err, text);
	return err->code;
}
