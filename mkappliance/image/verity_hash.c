/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests of data blocks. SHA-256 is what limits a build, so this is where its time goes: two digests of
 * every byte, computed side by side where the processor can (lib/sha256_x2.h), one after the other by
 * libcrypto elsewhere.
 */
#include <string.h>

#include "image/verity.h"
#include "lib/mem.h"
#include "lib/sha256_x2.h"
#include "lib/zero.h"

/*
 * A leaf is SHA-256 over salt and block. The salt is half a SHA block, so the message is: salt and HEAD bytes
 * of data, MIDDLE SHA blocks of data, TAIL bytes of data and the padding.
 */
#define HEAD   (SHA256_BLOCK - VERITY_SALT_SIZE)
#define MIDDLE (VERITY_BLOCK / SHA256_BLOCK - 1)
#define TAIL   (VERITY_BLOCK - HEAD - MIDDLE * SHA256_BLOCK)

_Static_assert(TAIL + 9 <= SHA256_BLOCK, "the padding fits behind the tail");

/* The first and the last SHA block of a leaf. */
struct edges {
	uint8_t first[SHA256_BLOCK];
	uint8_t last[SHA256_BLOCK];
};

struct verity_hasher {
	struct sha256 zero; /* digest of a block of zeros */
	bool x2;
	/* With x2: */
	struct edges edges; /* of a leaf without its data */
	/* Without: */
	struct hasher *salted; /* has taken the salt, is copied for each leaf */
	struct hasher *leaf;
	struct hasher *plain;
};

/* FIPS 180-4, section 5.1.1: the last SHA block of @message bytes, of which @used are in it already. */
static void pad(uint8_t *block, size_t used, uint64_t message)
{
	memset(block + used, 0, SHA256_BLOCK - used);
	block[used] = 0x80;
	for (int i = 0; i < 8; i++)
		block[SHA256_BLOCK - 1 - i] = (uint8_t)(message * 8 >> (8 * i));
}

/* ---- two at a time ---- */

static struct edges edges_of(const struct verity_hasher *h, const uint8_t *block)
{
	struct edges e = h->edges;

	memcpy(e.first + VERITY_SALT_SIZE, block, HEAD);
	memcpy(e.last, block + VERITY_BLOCK - TAIL, TAIL);
	return e;
}

static void two_leaves(const struct verity_hasher *h, const uint8_t *p, struct sha256 *ret_p,
		       const uint8_t *q, struct sha256 *ret_q)
{
	struct edges ep = edges_of(h, p), eq = edges_of(h, q);
	struct sha256_state a = sha256_start, b = sha256_start;

	sha256_x2(&a, ep.first, &b, eq.first, 1);
	sha256_x2(&a, p + HEAD, &b, q + HEAD, MIDDLE);
	sha256_x2(&a, ep.last, &b, eq.last, 1);
	sha256_state_digest(&a, ret_p);
	sha256_state_digest(&b, ret_q);
}

/* The leaf of a block, while @plain takes the same bytes: they come from memory once. */
static void leaf_and_plain(const struct verity_hasher *h, const uint8_t *p, struct sha256 *ret,
			   struct sha256_state *plain)
{
	struct edges e = edges_of(h, p);
	struct sha256_state leaf = sha256_start;

	sha256_x2(&leaf, e.first, plain, p, 1);
	sha256_x2(&leaf, p + HEAD, plain, p + SHA256_BLOCK, MIDDLE);
	sha256_x1(&leaf, e.last, 1);
	sha256_state_digest(&leaf, ret);
}

static void leaves_x2(const struct verity_hasher *h, const uint8_t *data, size_t count, struct sha256 *out)
{
	size_t waiting = count; /* a block without a partner yet */

	for (size_t i = 0; i < count; i++) {
		const uint8_t *p = data + i * VERITY_BLOCK;

		if (is_zero(p, VERITY_BLOCK)) {
			out[i] = h->zero;
		} else if (waiting == count) {
			waiting = i;
		} else {
			two_leaves(h, data + waiting * VERITY_BLOCK, &out[waiting], p, &out[i]);
			waiting = count;
		}
	}
	if (waiting < count) {
		struct sha256 again;

		two_leaves(h, data + waiting * VERITY_BLOCK, &out[waiting], data + waiting * VERITY_BLOCK,
			   &again);
	}
}

static void leaves_and_plain_x2(const struct verity_hasher *h, const uint8_t *data, size_t count,
				struct sha256 *out, struct sha256 *ret_plain)
{
	struct sha256_state plain = sha256_start;
	uint8_t padding[SHA256_BLOCK];

	for (size_t i = 0; i < count; i++) {
		const uint8_t *p = data + i * VERITY_BLOCK;

		if (is_zero(p, VERITY_BLOCK)) {
			out[i] = h->zero;
			sha256_x1(&plain, p, VERITY_BLOCK / SHA256_BLOCK);
		} else {
			leaf_and_plain(h, p, &out[i], &plain);
		}
	}
	pad(padding, 0, (uint64_t)count * VERITY_BLOCK);
	sha256_x1(&plain, padding, 1);
	sha256_state_digest(&plain, ret_plain);
}

/* ---- portable ---- */

static void leaf_portable(struct verity_hasher *h, const uint8_t *p, struct sha256 *ret)
{
	hasher_copy(h->leaf, h->salted);
	hasher_add(h->leaf, p, VERITY_BLOCK);
	hasher_final(h->leaf, ret);
}

static void hash_portable(struct verity_hasher *h, const uint8_t *data, size_t count, struct sha256 *out,
			  struct sha256 *ret_plain)
{
	for (size_t i = 0; i < count; i++) {
		const uint8_t *p = data + i * VERITY_BLOCK;

		if (is_zero(p, VERITY_BLOCK))
			out[i] = h->zero;
		else
			leaf_portable(h, p, &out[i]);
		if (ret_plain)
			hasher_add(h->plain, p, VERITY_BLOCK);
	}
	if (ret_plain)
		hasher_final(h->plain, ret_plain);
}

struct verity_hasher *verity_hasher_new_portable(const uint8_t salt[VERITY_SALT_SIZE])
{
	static const uint8_t zeros[VERITY_BLOCK];
	struct verity_hasher *h = xcalloc(1, sizeof(*h));

	memcpy(h->edges.first, salt, VERITY_SALT_SIZE);
	pad(h->edges.last, TAIL, VERITY_SALT_SIZE + VERITY_BLOCK);
	h->salted = hasher_new();
	h->leaf = hasher_new();
	h->plain = hasher_new();
	hasher_add(h->salted, salt, VERITY_SALT_SIZE);
	leaf_portable(h, zeros, &h->zero);
	return h;
}

struct verity_hasher *verity_hasher_new(const uint8_t salt[VERITY_SALT_SIZE])
{
	struct verity_hasher *h = verity_hasher_new_portable(salt);

	h->x2 = sha256_x2_available();
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
	if (!h->x2)
		hash_portable(h, data, count, out, ret_plain);
	else if (ret_plain)
		leaves_and_plain_x2(h, data, count, out, ret_plain);
	else
		leaves_x2(h, data, count, out);
}
