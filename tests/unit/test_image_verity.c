/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/verity.h"
#include "lib/mem.h"

static uint8_t salt[VERITY_SALT_SIZE];

static void check_geometry(uint64_t data_blocks, unsigned levels, uint64_t hash_blocks)
{
	struct error err = ERROR_INIT;
	struct verity_geometry g;
	uint64_t next = 1;

	assert_int_equal(verity_geometry(data_blocks, &g, &err), 0);
	assert_int_equal(g.levels, levels);
	assert_int_equal(g.hash_blocks, hash_blocks);
	/* The top comes first, without gaps. */
	for (unsigned i = levels; i-- > 0;) {
		assert_int_equal(g.level_start[i], next);
		next += g.level_blocks[i];
	}
	assert_int_equal(next, hash_blocks);
}

static void test_geometry(void **state)
{
	struct error err = ERROR_INIT;
	struct verity_geometry g;

	(void)state;
	/* As veritysetup sizes its hash devices. */
	check_geometry(1, 0, 1);
	check_geometry(2, 1, 2);
	check_geometry(128, 1, 2);
	check_geometry(129, 2, 4);
	check_geometry(128 * 128, 2, 1 + 1 + 128);
	check_geometry(128 * 128 + 1, 3, 1 + 1 + 2 + 129);
	check_geometry(1ull << 40, 6, 1 + (1ull << 33) + (1ull << 26) + (1ull << 19) + (1ull << 12) + 32 + 1);
	assert_true(verity_geometry(0, &g, &err) < 0);
	assert_true(verity_geometry((1ull << 40) + 1, &g, &err) < 0);
}

static void test_superblock(void **state)
{
	struct verity_superblock sb = {.data_blocks = 12345}, back;
	uint8_t raw[VERITY_BLOCK];
	struct error err = ERROR_INIT;
	static const struct {
		const char *what;
		size_t offset;
	} damage[] = {
		{"signature", 0},
		{"version", 8},
		{"hash type", 12},
		{"algorithm", 32},
		{"data block", 64},
		{"hash block", 69},
		{"data blocks", 79},
		{"salt size", 80},
		{"padding", 82},
		{"padding", 88 + VERITY_SALT_SIZE},
		{"padding", VERITY_BLOCK - 1},
	};

	(void)state;
	assert_true(guid_parse("0a5a3a7e-5b7e-4d0e-8e43-000102030405", &sb.uuid));
	memset(sb.salt, 0x5a, sizeof(sb.salt));
	verity_superblock_encode(&sb, raw);
	assert_memory_equal(raw, "verity\0\0\1\0\0\0\1\0\0\0\x0a\x5a\x3a\x7e", 20);
	assert_int_equal(verity_superblock_decode(raw, sizeof(raw), &back, &err), 0);
	assert_memory_equal(&back.uuid, &sb.uuid, sizeof(sb.uuid));
	assert_memory_equal(back.salt, sb.salt, sizeof(sb.salt));
	assert_int_equal(back.data_blocks, 12345);

	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		raw[damage[i].offset] ^= 0x80;
		if (verity_superblock_decode(raw, sizeof(raw), &back, &err) == 0)
			fail_msg("damaged %s at %zu is taken", damage[i].what, damage[i].offset);
		assert_int_equal(err.exit, EXIT_REFUSED);
		raw[damage[i].offset] ^= 0x80;
	}
	assert_true(verity_superblock_decode(raw, VERITY_BLOCK - 1, &back, &err) < 0);
	memset(raw + 72, 0, 8);
	assert_true(verity_superblock_decode(raw, sizeof(raw), &back, &err) < 0);
}

/* Blocks of a fixed pattern with some of zeros, among them the first. */
static uint8_t *pattern(size_t blocks)
{
	uint8_t *p = xcalloc(blocks, VERITY_BLOCK);
	uint32_t x = 1;

	for (size_t i = 1; i < blocks; i++)
		for (size_t j = 0; i % 5 && j < VERITY_BLOCK; j++)
			p[i * VERITY_BLOCK + j] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
	/* Zero but for one byte in the end. */
	p[blocks * VERITY_BLOCK - 1] = 1;
	return p;
}

/* The obvious way, one message after the other. */
static void check_hashes(struct verity_hasher *h, size_t blocks)
{
	uint8_t *data = pattern(blocks), message[VERITY_SALT_SIZE + VERITY_BLOCK];
	struct sha256 *leaves = xcalloc(blocks, sizeof(*leaves)), plain, expected;

	for (int with_plain = 0; with_plain < 2; with_plain++) {
		memset(leaves, 0xee, blocks * sizeof(*leaves));
		verity_hash_blocks(h, data, blocks, leaves, with_plain ? &plain : NULL);
		for (size_t i = 0; i < blocks; i++) {
			memcpy(message, salt, VERITY_SALT_SIZE);
			memcpy(message + VERITY_SALT_SIZE, data + i * VERITY_BLOCK, VERITY_BLOCK);
			sha256_of(message, sizeof(message), &expected);
			assert_memory_equal(&leaves[i], &expected, sizeof(expected));
		}
	}
	sha256_of(data, blocks * VERITY_BLOCK, &expected);
	assert_memory_equal(&plain, &expected, sizeof(expected));
	free(leaves);
	free(data);
}

static void check_hasher(struct verity_hasher *h)
{
	for (size_t blocks = 1; blocks < 20; blocks++)
		check_hashes(h, blocks);
	check_hashes(h, 128);
	verity_hasher_free(h);
}

static void test_hashes(void **state)
{
	(void)state;
	check_hasher(verity_hasher_new(salt));
	check_hasher(verity_hasher_new_portable(salt));
}

/* Root hashes that veritysetup 2.6.1 gave for the pattern above and this salt. */
static void test_golden(void **state)
{
	static const struct {
		size_t blocks;
		const char *root;
	} golden[] = {
		{1, "66fd815274f592be96c5bc34c7505b1e92baa784557198ede0efa4c9893fdad8"},
		{2, "61cb22495e51bfc6709239f06398d163ca4d0ba2c3f35cdd29758988ef31b04a"},
		{128, "018c05305209e0f51aeccd953e44e2daceaf33a41ed339b1881330eb42192727"},
		{129, "3e100c399e19a93dbaf6d3ac8e61a5c070faf2430c2914bb18575dabe2eb8cc1"},
		{300, "7b58a36306cc0069c564c5e9074097fc7ba40a0d485b8e2c06a5bf87f9bcec15"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
		size_t blocks = golden[i].blocks, pieces = (blocks + 127) / 128;
		uint8_t *data = pattern(blocks);
		struct verity_hasher *h = verity_hasher_new(salt);
		struct sha256 *leaves = xcalloc(pieces * 128, sizeof(*leaves));
		struct verity_tree tree;
		struct error err = ERROR_INIT;
		char hex[SHA256_HEX_SIZE];

		verity_hash_blocks(h, data, blocks, leaves, NULL);
		assert_int_equal(verity_tree_init(&tree, blocks, &err), 0);
		for (size_t j = 0; j < pieces; j++)
			verity_tree_set(&tree, h, j, leaves + j * 128);
		verity_tree_finish(&tree, h);
		hex_encode(&tree.root, sizeof(tree.root), hex);
		assert_string_equal(hex, golden[i].root);
		verity_tree_free(&tree);
		verity_hasher_free(h);
		free(leaves);
		free(data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_geometry),
		cmocka_unit_test(test_superblock),
		cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_golden),
	};

	for (size_t i = 0; i < sizeof(salt); i++)
		salt[i] = (uint8_t)(i + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
