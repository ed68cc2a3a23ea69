/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *data, size_t len, char *ret)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0) |
			     (i + 2 < len ? p[i + 2] : 0);

		*ret++ = digits[v >> 18];
		*ret++ = digits[v >> 12 & 63];
		*ret++ = i + 1 < len ? digits[v >> 6 & 63] : '=';
		*ret++ = i + 2 < len ? digits[v & 63] : '=';
	}
	*ret = 0;
}

void base64_add(struct buf *b, const void *data, size_t len)
{
	base64_encode(data, len, buf_room(b, BASE64_SIZE(len)));
	b->len += BASE64_SIZE(len) - 1;
}

static int value_of(char c)
{
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

bool base64_decode(const char *text, size_t len, struct buf *ret)
{
	unsigned acc = 0, bits = 0;

	while (len > 0 && text[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++) {
		int v = value_of(text[i]);
		char byte;

		if (v < 0)
			return false;
		acc = (acc << 6 | (unsigned)v) & 0xffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			byte = (char)(acc >> bits & 0xff);
			buf_add(ret, &byte, 1);
		}
	}
	return true;
}
