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

static int set_v(struct error *err, enum exit_code exit, int code, const char *format, va_list ap)
	__attribute__((format(printf, 4, 0)));

static int set_v(struct error *err, enum exit_code exit, int code, const char *format, va_list ap)
{
	err->exit = exit;
	err->code = code;
	vsnprintf(err->text, sizeof(err->text), format, ap);
	error_one_line(err->text);
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
	va_list ap;
	size_t len;

	va_start(ap, format);
	set_v(err, EXIT_FAILED, code, format, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(-code));
	return code;
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
	char old[sizeof(err->text)];
	va_list ap;
	size_t len;

	memcpy(old, err->text, sizeof(old));
	va_start(ap, format);
	vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s", old);
	error_one_line(err->text);
	return err->code;
}
