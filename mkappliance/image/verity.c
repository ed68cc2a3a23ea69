/* SPDX-License-Identifier: Apache-2.0 */
/* Superblock, geometry and upper levels of the hash tree. */
#include "image/verity.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "lib/mem.h"

#define MAX_DATA_BLOCKS	      (1ull << 40)
#define HASHES_PER_BLOCK_BITS 7

_Static_assert(VERITY_HASHES_PER_BLOCK == 1u << HASHES_PER_BLOCK_BITS, "a level shrinks by this factor");

/* cryptsetup docs/on-disk-format-verity, "Verity superblock format"; numbers are little endian. */
#define SUPERBLOCK_SIZE 512
#define OFF_SIGNATURE	0
#define OFF_VERSION	8
#define OFF_HASH_TYPE	12
#define OFF_UUID	16
#define OFF_ALGORITHM	32
#define OFF_DATA_BLOCK	64
#define OFF_HASH_BLOCK	68
#define OFF_DATA_BLOCKS 72
#define OFF_SALT_SIZE	80
#define OFF_SALT	88

static const uint8_t signature[8] = "verity\0";
static const char algorithm[32] = "sha256";

int verity_geometry(uint64_t data_blocks, struct verity_geometry *ret, struct error *err)
{
	struct verity_geometry g = {.data_blocks = data_blocks};
	uint64_t position = 1;

	if (data_blocks == 0 || data_blocks > MAX_DATA_BLOCKS)
		return error_set(err, -EINVAL, "dm-verity: %ju data blocks, must be 1 to %ju",
				 (uintmax_t)data_blocks, (uintmax_t)MAX_DATA_BLOCKS);

	while ((data_blocks - 1) >> (HASHES_PER_BLOCK_BITS * g.levels))
		g.levels++;
	/* The top comes first on the disk. */
	for (unsigned i = g.levels; i-- > 0;) {
		unsigned shift = HASHES_PER_BLOCK_BITS * (i + 1);

		g.level_start[i] = position;
		g.level_blocks[i] = ((data_blocks - 1) >> shift) + 1;
		position += g.level_blocks[i];
	}
	g.hash_blocks = position;
	*ret = g;
	return 0;
}

static void put_le(uint8_t *p, unsigned bytes, uint64_t v)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = bytes; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

void verity_superblock_encode(const struct verity_superblock *sb, uint8_t out[VERITY_BLOCK])
{
	memset(out, 0, VERITY_BLOCK);
	memcpy(out + OFF_SIGNATURE, signature, sizeof(signature));
	put_le(out + OFF_VERSION, 4, 1);
	put_le(out + OFF_HASH_TYPE, 4, 1);
	memcpy(out + OFF_UUID, sb->uuid.b, sizeof(sb->uuid.b));
	memcpy(out + OFF_ALGORITHM, algorithm, sizeof(algorithm));
	put_le(out + OFF_DATA_BLOCK, 4, VERITY_BLOCK);
	put_le(out + OFF_HASH_BLOCK, 4, VERITY_BLOCK);
	put_le(out + OFF_DATA_BLOCKS, 8, sb->data_blocks);
	put_le(out + OFF_SALT_SIZE, 2, VERITY_SALT_SIZE);
	memcpy(out + OFF_SALT, sb->salt, VERITY_SALT_SIZE);
}

static int check_number(const char *what, uint64_t found, uint64_t expected, struct error *err)
{
	if (found == expected)
		return 0;
	return error_refuse(err, "dm-verity superblock: %s is %ju, must be %ju", what, (uintmax_t)found,
			    (uintmax_t)expected);
}

static int check_fields(const uint8_t *in, struct error *err)
{
	static const struct {
		const char *name;
		unsigned offset, bytes, expected;
	} fixed[] = {
		{"version", OFF_VERSION, 4, 1},
		{"hash type", OFF_HASH_TYPE, 4, 1},
		{"data block size", OFF_DATA_BLOCK, 4, VERITY_BLOCK},
		{"hash block size", OFF_HASH_BLOCK, 4, VERITY_BLOCK},
		{"salt size", OFF_SALT_SIZE, 2, VERITY_SALT_SIZE},
	};

	if (memcmp(in + OFF_SIGNATURE, signature, sizeof(signature)) != 0)
		return error_refuse(err, "dm-verity superblock: no signature; this is not a hash partition");
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		int r = check_number(fixed[i].name, get_le(in + fixed[i].offset, fixed[i].bytes),
				     fixed[i].expected, err);

		if (r < 0)
			return r;
	}
	if (memcmp(in + OFF_ALGORITHM, algorithm, sizeof(algorithm)) != 0)
		return error_refuse(err, "dm-verity superblock: the algorithm is not sha256");
	return 0;
}

int verity_superblock_decode(const uint8_t *in, size_t len, struct verity_superblock *ret, struct error *err)
{
	struct verity_superblock sb;
	uint8_t again[VERITY_BLOCK];
	int r;

	if (len < VERITY_BLOCK)
		return error_refuse(err, "dm-verity superblock: %zu bytes, must be %u", len, VERITY_BLOCK);
	r = check_fields(in, err);
	if (r < 0)
		return r;
	sb.data_blocks = get_le(in + OFF_DATA_BLOCKS, 8);
	if (sb.data_blocks == 0 || sb.data_blocks > MAX_DATA_BLOCKS)
		return error_refuse(err, "dm-verity superblock: %ju data blocks, must be 1 to %ju",
				    (uintmax_t)sb.data_blocks, (uintmax_t)MAX_DATA_BLOCKS);
	memcpy(sb.uuid.b, in + OFF_UUID, sizeof(sb.uuid.b));
	memcpy(sb.salt, in + OFF_SALT, sizeof(sb.salt));

	/* What no field covers is padding and must be zero. */
	verity_superblock_encode(&sb, again);
	if (memcmp(in, again, VERITY_BLOCK) != 0)
		return error_refuse(err, "dm-verity superblock: padding is not zero");
	*ret = sb;
	return 0;
}

int verity_tree_init(struct verity_tree *t, uint64_t data_blocks, struct error *err)
{
	struct verity_geometry g;
	int r = verity_geometry(data_blocks, &g, err);

	if (r < 0)
		return r;
	*t = (struct verity_tree){.geometry = g};
	t->upper_blocks = g.levels > 1 ? g.level_start[0] - 1 : 0;
	t->upper = xcalloc(t->upper_blocks, VERITY_BLOCK);
	return 0;
}

void verity_tree_free(struct verity_tree *t)
{
	free(t->upper);
	*t = (struct verity_tree){0};
}

/* Level @level (1 or more) in memory: the upper blocks follow the superblock. */
static uint8_t *level_in_memory(struct verity_tree *t, unsigned level)
{
	return t->upper + (t->geometry.level_start[level] - 1) * VERITY_BLOCK;
}

void verity_tree_set(struct verity_tree *t, struct verity_hasher *h, uint64_t index,
		     const struct sha256 *digests)
{
	const struct verity_geometry *g = &t->geometry;

	if (g->levels == 0)
		t->root = digests[0];
	else if (g->levels == 1)
		verity_hash_blocks(h, digests, 1, &t->root, NULL);
	else
		verity_hash_blocks(h, digests, 1, (struct sha256 *)level_in_memory(t, 1) + index, NULL);
}

void verity_tree_finish(struct verity_tree *t, struct verity_hasher *h)
{
	const struct verity_geometry *g = &t->geometry;

	for (unsigned level = 2; level < g->levels; level++)
		verity_hash_blocks(h, level_in_memory(t, level - 1), g->level_blocks[level - 1],
				   (struct sha256 *)level_in_memory(t, level), NULL);
	if (g->levels > 1)
		verity_hash_blocks(h, level_in_memory(t, g->levels - 1), 1, &t->root, NULL);
}
