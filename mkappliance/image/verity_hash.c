/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of data blocks. */
#include <string.h>

#include "image/verity.h"
#include "lib/mem.h"
#include "lib/zero.h"

struct verity_hasher {
	struct hasher *salted; /* has taken the salt, is copied for each block */
	struct hasher *leaf;
	struct hasher *plain;
	struct sha256 zero; /* digest of a block of zeros */
};

static void hash_leaf(struct verity_hasher *h, const uint8_t *block, struct sha256 *ret)
{
	hasher_copy(h->leaf, h->salted);
	hasher_add(h->leaf, block, VERITY_BLOCK);
	hasher_final(h->leaf, ret);
}

struct verity_hasher *verity_hasher_new(const uint8_t salt[VERITY_SALT_SIZE])
{
	static const uint8_t zeros[VERITY_BLOCK];
	struct verity_hasher *h = xcalloc(1, sizeof(*h));

	h->salted = hasher_new();
	h->leaf = hasher_new();
	h->plain = hasher_new();
	hasher_add(h->salted, salt, VERITY_SALT_SIZE);
	hash_leaf(h, zeros, &h->zero);
	return h;
}

void verity_hasher_free(struct verity_hasher *h)
{
	if (!h)
		return;
	hasher_free(h->salted);
	hasher_free(h->leaf);
	hasher_free(h->plain);
	free(h);
}

void verity_hasher_freep(struct verity_hasher **h)
{
	verity_hasher_free(*h);
}

void verity_hash_blocks(struct verity_hasher *h, const void *data, size_t count, struct sha256 *out,
			struct sha256 *ret_plain)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < count; i++, p += VERITY_BLOCK) {
		if (is_zero(p, VERITY_BLOCK))
			out[i] = h->zero;
		else
			hash_leaf(h, p, &out[i]);
		if (ret_plain)
			hasher_add(h->plain, p, VERITY_BLOCK);
	}
	if (ret_plain)
		hasher_final(h->plain, ret_plain);
}
