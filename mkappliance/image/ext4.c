/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of the file system from beginning to end. Nothing here depends on the size of a file: memory
 * grows with the number of entries only, about 500 bytes each.
 */
#include "image/ext4_internal.h"

#include <errno.h>
#include <string.h>

#include "lib/mem.h"

#define CHUNK_SIZE (1024u * 1024)

/*
 * Small blocks get their memory from here, so that those which follow each other on the disk also do in
 * memory.
 */
struct ext4_chunk {
	struct ext4_chunk *next;
	size_t used;
	uint8_t bytes[CHUNK_SIZE];
};

void *ext4_small_block(struct ext4 *fs, uint32_t block, uint32_t used)
{
	struct ext4_chunk *c = fs->chunks;
	uint8_t *p;

	if (!c || CHUNK_SIZE - c->used < used) {
		c = xcalloc(1, sizeof(*c));
		c->next = fs->chunks;
		fs->chunks = c;
	}
	p = c->bytes + c->used;
	c->used += round_up(used, 8);
	extent_add_memory(&fs->extents, (uint64_t)block * EXT4_BLOCK, used, p);
	return p;
}

static int set_params(struct ext4 *fs, const struct ext4_params *params, struct error *err)
{
	const char *label = params->label ? params->label : "";
	size_t len = strlen(label);

	if (len > sizeof(fs->label))
		return error_set(err, -EINVAL, "file system label '%s': %zu bytes, at most %zu fit", label,
				 len, sizeof(fs->label));
	memcpy(fs->label, label, len);
	fs->uuid = params->uuid;
	fs->hash_seed = params->hash_seed;
	memcpy(fs->seed, params->hash_seed.b, sizeof(fs->seed));
	fs->epoch = params->epoch;
	return 0;
}

/* What only the stages need. */
static void drop_nodes(struct ext4 *fs)
{
	free(fs->nodes);
	free(fs->children);
	free(fs->order);
	fs->nodes = NULL;
	fs->children = NULL;
	fs->order = NULL;
}

int ext4_plan(const struct tree *tree, const struct ext4_params *params, struct ext4 **ret, struct error *err)
{
	_cleanup_ext4_ struct ext4 *fs = xcalloc(1, sizeof(*fs));
	int r;

	fs->tree = tree;
	r = set_params(fs, params, err);
	if (r < 0)
		return r;
	r = ext4_collect(fs, err);
	if (r < 0)
		return r;
	r = ext4_measure(fs, err);
	if (r < 0)
		return r;
	ext4_fill(fs);
	r = ext4_finish(fs, err);
	if (r < 0)
		return r;
	extent_sort(&fs->extents);
	drop_nodes(fs);
	*ret = fs;
	fs = NULL;
	return 0;
}

uint64_t ext4_size(const struct ext4 *fs)
{
	return (uint64_t)fs->geometry.blocks * EXT4_BLOCK;
}

const struct extent_list *ext4_extents(const struct ext4 *fs)
{
	return &fs->extents;
}

void ext4_free(struct ext4 *fs)
{
	if (!fs)
		return;
	drop_nodes(fs);
	extent_free(&fs->extents);
	while (fs->chunks) {
		struct ext4_chunk *next = fs->chunks->next;

		free(fs->chunks);
		fs->chunks = next;
	}
	free(fs->front);
	free(fs->bitmaps);
	free(fs);
}

void ext4_freep(struct ext4 **fs)
{
	ext4_free(*fs);
}
