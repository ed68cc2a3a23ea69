/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and pieces from untrusted bytes, in order. Reading past the end gives zeros and NULL, and is remembered. */
#ifndef MKAPPLIANCE_CHECK_BYTES_H
#define MKAPPLIANCE_CHECK_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	const uint8_t *ptr;
	size_t left;
	bool ended; /* more was wanted than there is */
};

/* @len bytes where they lie; NULL: there are not so many. */
static inline const uint8_t *bytes_take(struct bytes *b, size_t len)
{
	const uint8_t *at = b->ptr;

	if (b->ended || len > b->left) {
		b->ended = true;
		return NULL;
	}
	b->ptr += len;
	b->left -= len;
	return at;
}

/* An unsigned number of @len bytes, at most 8. */
static inline uint64_t bytes_be(struct bytes *b, size_t len)
{
	const uint8_t *p = bytes_take(b, len);
	uint64_t v = 0;

	for (size_t i = 0; p && i < len; i++)
		v = v << 8 | p[i];
	return v;
}

static inline uint64_t bytes_le(struct bytes *b, size_t len)
{
	const uint8_t *p = bytes_take(b, len);
	uint64_t v = 0;

	for (size_t i = 0; p && i < len; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

/* A TPM2B: u16 length, then so many bytes. */
static inline const uint8_t *bytes_tpm2b(struct bytes *b, size_t *ret_len)
{
	*ret_len = (size_t)bytes_be(b, 2);
	return bytes_take(b, *ret_len);
}

#endif
