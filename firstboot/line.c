/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include "line.h"

void line_reset(struct line *l)
{
	l->len = 0;
	l->text[0] = '\0';
}

void line_bytes(struct line *l, const char *bytes, size_t len)
{
	size_t room = sizeof l->text - 1 - l->len;

	if (len > room)
		len = room;
	memcpy(l->text + l->len, bytes, len);
	l->len += len;
	l->text[l->len] = '\0';
}

static void line_number(struct line *l, unsigned long long v, unsigned base, size_t width)
{
	char digits[24];
	size_t at = sizeof digits;

	do {
		digits[--at] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (sizeof digits - at < width)
		digits[--at] = '0';
	line_bytes(l, digits + at, sizeof digits - at);
}

static void line_signed(struct line *l, long long v, size_t width)
{
	if (v < 0)
		line_bytes(l, "-", 1);
	line_number(l, v < 0 ? 0 - (unsigned long long)v : (unsigned long long)v, 10, width);
}

/* One conversion of @f, which stands behind the '%'. Returns what comes after it. */
static const char *line_convert(struct line *l, const char *f, va_list *ap)
{
	const char *start = f;
	unsigned longs = 0;
	size_t width = 0;

	if (f[0] == '0' && f[1] >= '1' && f[1] <= '9') {
		width = (size_t)(f[1] - '0');
		f += 2;
	}
	while (*f == 'l' && longs < 2) {
		longs++;
		f++;
	}
	if (*f == 's') {
		const char *s = va_arg(*ap, const char *);

		line_bytes(l, s, strlen(s));
	} else if (*f == 'c') {
		char c = (char)va_arg(*ap, int);

		line_bytes(l, &c, 1);
	} else if (*f == 'd') {
		line_signed(l,
			    longs == 2 ? va_arg(*ap, long long)
			    : longs    ? va_arg(*ap, long)
				       : va_arg(*ap, int),
			    width);
	} else if (*f == 'u' || *f == 'x') {
		unsigned long long v = longs == 2 ? va_arg(*ap, unsigned long long)
				       : longs	  ? va_arg(*ap, unsigned long)
						  : va_arg(*ap, unsigned);

		line_number(l, v, *f == 'x' ? 16 : 10, width);
	} else if (*f == '%') {
		line_bytes(l, "%", 1);
	} else {
		line_bytes(l, "%", 1);
		return start;
	}
	return f + 1;
}

void line_vprintf(struct line *l, const char *format, va_list ap)
{
	va_list copy;

	va_copy(copy, ap);
	while (*format) {
		size_t plain = strcspn(format, "%");

		line_bytes(l, format, plain);
		format += plain;
		if (*format == '%')
			format = line_convert(l, format + 1, &copy);
	}
	va_end(copy);
}

void line_printf(struct line *l, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	line_vprintf(l, format, ap);
	va_end(ap);
}

/* The bytes that stand for @c in a JSON string, at most 6 of them. */
static size_t json_escape(unsigned char c, char out[6])
{
	static const char hex[] = "0123456789abcdef";

	if (c == '"' || c == '\\') {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	if (c >= 0x20 && c < 0x7f) {
		out[0] = (char)c;
		return 1;
	}
	memcpy(out, "\\u00", 4);
	out[4] = hex[c >> 4];
	out[5] = hex[c & 15];
	return 6;
}

void line_json(struct line *l, const char *text, size_t max)
{
	size_t used = 2;

	line_bytes(l, "\"", 1);
	for (; *text; text++) {
		char out[6];
		size_t n = json_escape((unsigned char)*text, out);

		if (used + n > max)
			break;
		line_bytes(l, out, n);
		used += n;
	}
	line_bytes(l, "\"", 1);
}
