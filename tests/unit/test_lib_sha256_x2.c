/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/mem.h"
#include "lib/sha256_x2.h"

static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* A message of @len bytes with its padding (FIPS 180-4, section 5.1.1); @ret_blocks SHA blocks. */
static uint8_t *padded(const uint8_t *message, size_t len, size_t *ret_blocks)
{
	size_t blocks = (len + 9 + SHA256_BLOCK - 1) / SHA256_BLOCK;
	uint8_t *p = xcalloc(blocks, SHA256_BLOCK);

	memcpy(p, message, len);
	p[len] = 0x80;
	for (int i = 0; i < 8; i++)
		p[blocks * SHA256_BLOCK - 1 - (size_t)i] = (uint8_t)((uint64_t)len * 8 >> (8 * i));
	*ret_blocks = blocks;
	return p;
}

static void check_state(const struct sha256_state *s, const uint8_t *message, size_t len)
{
	struct sha256 digest, expected;

	sha256_state_digest(s, &digest);
	sha256_of(message, len, &expected);
	assert_memory_equal(&digest, &expected, sizeof(digest));
}

/* FIPS 180-4 example values. */
static void test_golden(void **state)
{
	static const uint8_t expected[SHA256_SIZE] = {
		0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
		0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
		0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
	};
	struct sha256_state s = sha256_start;
	struct sha256 digest;
	size_t blocks;
	uint8_t *p = padded((const uint8_t *)"abc", 3, &blocks);

	(void)state;
	if (!sha256_x2_available()) {
		free(p);
		skip();
	}
	sha256_x1(&s, p, blocks);
	sha256_state_digest(&s, &digest);
	assert_memory_equal(digest.b, expected, sizeof(expected));
	free(p);
}

/* Random lengths at unaligned addresses: two lanes as far as the shorter goes, the rest of the longer in one. */
static void test_random(void **state)
{
	uint32_t seed = 20240607;
	uint8_t *data = xmalloc(20000);

	(void)state;
	if (!sha256_x2_available()) {
		free(data);
		skip();
	}
	for (size_t i = 0; i < 20000; i++)
		data[i] = (uint8_t)next(&seed);
	for (int round = 0; round < 2000; round++) {
		size_t len_a = next(&seed) % 9000, len_b = round % 3 ? next(&seed) % 9000 : len_a;
		const uint8_t *a = data + next(&seed) % 10000, *b = data + next(&seed) % 10000;
		struct sha256_state sa = sha256_start, sb = sha256_start;
		size_t blocks_a, blocks_b, both, split;
		uint8_t *pa = padded(a, len_a, &blocks_a), *pb = padded(b, len_b, &blocks_b);

		both = blocks_a < blocks_b ? blocks_a : blocks_b;
		split = next(&seed) % (both + 1);
		sha256_x2(&sa, pa, &sb, pb, split);
		sha256_x2(&sa, pa + split * SHA256_BLOCK, &sb, pb + split * SHA256_BLOCK, both - split);
		sha256_x1(&sa, pa + both * SHA256_BLOCK, blocks_a - both);
		sha256_x1(&sb, pb + both * SHA256_BLOCK, blocks_b - both);
		check_state(&sa, a, len_a);
		check_state(&sb, b, len_b);
		free(pa);
		free(pb);
	}
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
