/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash tree from its root downwards, so that a damaged tree block is told from damaged data, then every 512 KiB of the
 * disk once: its digest against the list, and, inside the root, each 4096-byte block against the tree.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "check/verify_internal.h"
#include "image/ext4.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/workers.h"

#define PIECE_BLOCKS (LAYOUT_BLOCK / VERITY_BLOCK)

static const uint64_t none = UINT64_MAX;

/* Byte offset on the disk of block @index of tree level @level. */
static uint64_t tree_block_offset(const struct verify *v, const struct verity_geometry *g, unsigned level,
				  uint64_t index)
{
	return v->m->layout.part[PART_VERITY].offset + (g->level_start[level] + index) * VERITY_BLOCK;
}

/* What the level above says that tree block (@level, @index) hashes to. */
static int expected_digest(const struct verify *v, const struct verity_geometry *g, unsigned level,
			   uint64_t index, struct sha256 *ret, struct error *err)
{
	uint64_t offset;

	if (level + 1 == g->levels) {
		*ret = v->m->root_hash;
		return 0;
	}
	offset = tree_block_offset(v, g, level + 1, index / VERITY_HASHES_PER_BLOCK) +
		 index % VERITY_HASHES_PER_BLOCK * SHA256_SIZE;
	return io_pread_full(v->fd, v->name, ret, sizeof(*ret), offset, err);
}

/* Whether tree block (@level, @index), handed out in @block, is the one that the level above vouches for. */
static int check_tree_block(const struct verify *v, const struct verity_geometry *g, struct verity_hasher *h,
			    unsigned level, uint64_t index, uint8_t block[VERITY_BLOCK], bool *ret_same,
			    struct error *err)
{
	struct sha256 want, got;
	int r;

	r = io_pread_full(v->fd, v->name, block, VERITY_BLOCK, tree_block_offset(v, g, level, index), err);
	if (r < 0)
		return r;
	r = expected_digest(v, g, level, index, &want, err);
	if (r < 0)
		return r;
	verity_hash_blocks(h, block, 1, &got, NULL);
	*ret_same = memcmp(&want, &got, sizeof(got)) == 0;
	return 0;
}

static void tree_differs(struct verify *v, const struct verity_geometry *g, unsigned level, uint64_t index)
{
	uint64_t block = g->level_start[level] + index;

	report_bad(v, "hash tree", "block %ju of root-verity (level %u, block %ju) does not match the %s",
		   (uintmax_t)block, level, (uintmax_t)index,
		   level + 1 == g->levels ? "root hash" : "level above");
	report_place(v, v->m->layout.part[PART_VERITY].name, block, NULL);
}

int verify_tree(struct verify *v, const struct verity_geometry *g, bool *ret_trusted, struct error *err)
{
	struct verity_hasher *h = verity_hasher_new(v->m->salt);
	uint8_t block[VERITY_BLOCK];
	bool same = true;
	int r = 0;

	for (unsigned level = g->levels; same && level-- > 0;) {
		for (uint64_t i = 0; same && i < g->level_blocks[level]; i++) {
			r = interrupt_check(err);
			if (r >= 0)
				r = check_tree_block(v, g, h, level, i, block, &same, err);
			if (r < 0)
				goto out;
			if (!same)
				tree_differs(v, g, level, i);
		}
	}
	if (same)
		report_ok(v, "hash tree", "%ju blocks in %u levels lead to the root hash",
			  (uintmax_t)(g->hash_blocks - 1), g->levels);
	*ret_trusted = same;
out:
	verity_hasher_free(h);
	return r;
}

/* The state that the threads share. */
struct content {
	struct verify *v;
	const struct verity_geometry *g;
	bool tree_trusted;
	struct block_digests got;
	struct progress progress;
	pthread_mutex_t lock; /* of the two below */
	uint64_t first_bad;   /* data block of root, none while all match */
	uint64_t bad_blocks;  /* of root */
};

static void note_bad(struct content *c, uint64_t block)
{
	pthread_mutex_lock(&c->lock);
	c->bad_blocks++;
	if (c->first_bad == none || block < c->first_bad)
		c->first_bad = block;
	pthread_mutex_unlock(&c->lock);
}

/* Data blocks of root in the piece at @offset; 0 when it lies elsewhere. Root starts on a piece's boundary. */
static uint64_t root_blocks_in(const struct verify *v, uint64_t offset, uint64_t *ret_first)
{
	const struct partition *root = &v->m->layout.part[PART_ROOT];
	uint64_t first;

	if (offset < root->offset)
		return 0;
	first = (offset - root->offset) / VERITY_BLOCK;
	if (first >= v->m->data_blocks)
		return 0;
	*ret_first = first;
	return v->m->data_blocks - first < PIECE_BLOCKS ? v->m->data_blocks - first : PIECE_BLOCKS;
}

/* Compares the leaves of one piece with the tree's level 0, or with the root hash when there is but one block. */
static int compare_leaves(struct content *c, uint64_t first, uint64_t count, const struct sha256 *leaves,
			  struct error *err)
{
	struct sha256 want[PIECE_BLOCKS];
	int r;

	if (c->g->levels == 0) {
		want[0] = c->v->m->root_hash;
	} else {
		r = io_pread_full(c->v->fd, c->v->name, want, count * SHA256_SIZE,
				  tree_block_offset(c->v, c->g, 0, first / VERITY_HASHES_PER_BLOCK), err);
		if (r < 0)
			return r;
	}
	for (uint64_t i = 0; i < count; i++)
		if (memcmp(&want[i], &leaves[i], sizeof(want[i])) != 0)
			note_bad(c, first + i);
	return 0;
}

static int check_piece(struct content *c, struct verity_hasher *h, uint64_t index, uint8_t *data,
		       struct error *err)
{
	struct sha256 leaves[PIECE_BLOCKS];
	uint64_t offset = index * LAYOUT_BLOCK, first = 0, count;
	int r;

	r = io_pread_full(c->v->fd, c->v->name, data, LAYOUT_BLOCK, offset, err);
	if (r < 0)
		return r;
	verity_hash_blocks(h, data, PIECE_BLOCKS, leaves, &c->got.ptr[index]);
	count = root_blocks_in(c->v, offset, &first);
	/* Below a damaged tree block nothing says what the data should be. */
	if (count > 0 && c->tree_trusted)
		return compare_leaves(c, first, count, leaves, err);
	return 0;
}

/* Whether the piece is a hole: then its digest is the one that block_digests_init() put there. Root is always read. */
static bool piece_is_hole(const struct content *c, uint64_t index)
{
	uint64_t offset = index * LAYOUT_BLOCK, first;
	off_t data;

	if (root_blocks_in(c->v, offset, &first) > 0)
		return false;
	data = lseek(c->v->fd, (off_t)offset, SEEK_DATA);
	return data < 0 ? errno == ENXIO : (uint64_t)data >= offset + LAYOUT_BLOCK;
}

static int content_worker(struct workers *w, void *user, struct error *err)
{
	struct content *c = user;
	struct verity_hasher *h = verity_hasher_new(c->v->m->salt);
	_cleanup_free_ uint8_t *data = xmalloc(LAYOUT_BLOCK);
	uint64_t index;
	int r = 0;

	while (r >= 0 && workers_next(w, &index)) {
		if (!piece_is_hole(c, index))
			r = check_piece(c, h, index, data, err);
		progress_add(&c->progress, LAYOUT_BLOCK);
	}
	verity_hasher_free(h);
	return r;
}

static void report_data(struct content *c)
{
	struct verify *v = c->v;

	if (!c->tree_trusted) {
		report_bad(v, "data", "not judged: the hash tree differs");
		return;
	}
	if (c->first_bad == none) {
		report_ok(v, "data", "%ju blocks match the hash tree", (uintmax_t)v->m->data_blocks);
		return;
	}
	v->report->differing = c->bad_blocks;
	report_place(v, v->m->layout.part[PART_ROOT].name, c->first_bad,
		     ext4_block_owner(v->fd, v->m->layout.part[PART_ROOT].offset, c->first_bad));
	report_bad(v, "data", "block %ju of root differs (%s)%s", (uintmax_t)c->first_bad,
		   v->report->owner ? v->report->owner : "unknown", c->bad_blocks > 1 ? ", and others" : "");
}

/* The name of what lies at @offset of the disk. */
static const char *place_of(const struct manifest *m, uint64_t offset)
{
	for (size_t i = 0; i < m->layout.count; i++)
		if (offset >= m->layout.part[i].offset &&
		    offset - m->layout.part[i].offset < m->layout.part[i].size)
			return m->layout.part[i].name;
	return "no partition";
}

/* Which block it is, if the list of digests is there and is the one that the manifest commits to. */
static void report_blocks_differ(struct verify *v, const struct block_digests *got)
{
	struct block_digests want = {0};
	struct error ignored = ERROR_INIT;
	struct sha256 digest = {0};

	if (v->blocks_path && blocks_read(v->blocks_path, &want, &ignored) >= 0)
		sha256_of(want.ptr, want.count * SHA256_SIZE, &digest);
	if (want.count != got->count || memcmp(&digest, &v->m->blocks_digest, sizeof(digest)) != 0) {
		report_bad(v, "every byte",
			   "the digest of all %ju blocks differs; without the .blocks file of this "
			   "build the place is not known",
			   (uintmax_t)got->count);
		block_digests_free(&want);
		return;
	}
	for (uint64_t i = 0; i < got->count; i++) {
		const char *place;

		if (memcmp(&got->ptr[i], &want.ptr[i], sizeof(digest)) == 0)
			continue;
		place = place_of(v->m, i * LAYOUT_BLOCK);
		report_bad(v, "every byte", "the 512 KiB at byte %ju differ (%s)",
			   (uintmax_t)(i * LAYOUT_BLOCK), place);
		break;
	}
	block_digests_free(&want);
}

/* The list beside the image, of which the next upload will believe what has not changed. */
static void report_list(struct verify *v)
{
	struct block_digests list = {0};
	struct error bad = ERROR_INIT;
	struct sha256 digest;

	if (!v->blocks_path)
		return;
	if (blocks_read(v->blocks_path, &list, &bad) < 0) {
		report_bad(v, "block list", "%s", bad.text);
		return;
	}
	sha256_of(list.ptr, list.count * SHA256_SIZE, &digest);
	if (memcmp(&digest, &v->m->blocks_digest, sizeof(digest)) == 0)
		report_ok(v, "block list", "the digests of %ju blocks that the manifest commits to",
			  (uintmax_t)list.count);
	else
		report_bad(v, "block list", "%s is of another build", v->blocks_path);
	block_digests_free(&list);
}

static void report_blocks(struct content *c)
{
	struct sha256 digest;

	sha256_of(c->got.ptr, c->got.count * SHA256_SIZE, &digest);
	if (memcmp(&digest, &c->v->m->blocks_digest, sizeof(digest)) == 0)
		report_ok(c->v, "every byte", "%ju blocks of 512 KiB are as they were built",
			  (uintmax_t)c->got.count);
	else
		report_blocks_differ(c->v, &c->got);
	report_list(c->v);
}

int verify_content(struct verify *v, const struct verity_geometry *g, bool tree_trusted, struct error *err)
{
	struct content c = {.v = v, .g = g, .tree_trusted = tree_trusted, .first_bad = none};
	int r;

	pthread_mutex_init(&c.lock, NULL);
	block_digests_init(&c.got, v->m->layout.size);
	progress_start(&c.progress, "reading every block", "B", v->m->layout.size);
	r = workers_run(v->threads, c.got.count, content_worker, &c, err);
	if (r >= 0) {
		progress_end(&c.progress, NULL);
		report_data(&c);
		report_blocks(&c);
	}
	block_digests_free(&c.got);
	pthread_mutex_destroy(&c.lock);
	return r;
}
