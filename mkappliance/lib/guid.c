/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/guid.h"

#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/hash.h"
#include "lib/mem.h"

void guid_format(const struct guid *g, char *text)
{
	char hex[33];

	hex_encode(g->b, sizeof(g->b), hex);
	snprintf(text, GUID_TEXT_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		 hex + 20);
}

bool guid_parse(const char *text, struct guid *ret)
{
	char hex[33];
	size_t n = 0;

	if (strnlen(text, GUID_TEXT_SIZE) != GUID_TEXT_SIZE - 1)
		return false;
	for (size_t i = 0; i < GUID_TEXT_SIZE - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash != (text[i] == '-'))
			return false;
		if (!dash)
			hex[n++] = text[i];
	}
	hex[n] = 0;
	return hex_decode(hex, ret->b, sizeof(ret->b));
}

/* The first three fields are little endian on disk, the rest is bytes. */
static void swap_fields(const uint8_t in[16], uint8_t out[16])
{
	static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
	uint8_t copy[16];

	for (int i = 0; i < 16; i++)
		copy[i] = in[order[i]];
	memcpy(out, copy, sizeof(copy));
}

void guid_to_gpt(const struct guid *g, uint8_t out[16])
{
	swap_fields(g->b, out);
}

void guid_from_gpt(const uint8_t in[16], struct guid *ret)
{
	swap_fields(in, ret->b);
}

void guid_derive(const char *purpose, const char *name, struct guid *ret)
{
	_cleanup_free_ char *text = xasprintf("mkappliance:%s:%s", purpose, name);
	struct sha256 digest;

	sha256_of(text, strlen(text), &digest);
	memcpy(ret->b, digest.b, sizeof(ret->b));
	ret->b[6] = (uint8_t)((ret->b[6] & 0x0f) | 0x80);
	ret->b[8] = (uint8_t)((ret->b[8] & 0x3f) | 0x80);
}
