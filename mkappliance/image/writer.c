/* SPDX-License-Identifier: Apache-2.0 */
#include "image/writer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "image/gather.h"
#include "image/layout.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/mem.h"
#include "lib/workers.h"
#include "lib/zero.h"

/* A piece is a block of .blocks, and its digests fill one block of level 0 of the hash tree. */
#define PIECE	     LAYOUT_BLOCK
#define PIECE_BLOCKS (PIECE / VERITY_BLOCK)

/*
 * Blocks of one write. Measured in a virtual machine of 2 processors: a tree of 3 GB took 3.3 s with writes of
 * 128 KiB and 6.7 s with 512 KiB; both took the same where the page cache had its memory from before. Presumed
 * from that, not proven: it takes memory in pieces as large as the write, and finds large ones only in memory
 * that the machine has to get back from its host first.
 */
#define WRITE_BLOCKS 32

/* The disk starts on finished pieces in runs of this many, while later ones are hashed. */
#define WRITEBACK_PIECES 16

_Static_assert(PIECE_BLOCKS == VERITY_HASHES_PER_BLOCK, "level 0 is written by whole blocks");
_Static_assert(PIECE_BLOCKS % WRITE_BLOCKS == 0, "a write does not leave its piece");

/* One partition, while the threads are on it. */
struct job {
	const struct writer *w;
	const struct extent_list *extents;
	uint64_t offset; /* on the disk */
	uint64_t size;
	/* Only with a hash tree: */
	struct verity_tree *tree;
	const struct verity_superblock *sb;
	uint64_t verity_offset;
};

void block_digests_init(struct block_digests *d, uint64_t disk_size)
{
	_cleanup_free_ void *zeros = xcalloc(1, LAYOUT_BLOCK);
	struct sha256 digest;

	sha256_of(zeros, LAYOUT_BLOCK, &digest);
	d->count = disk_size / LAYOUT_BLOCK;
	d->ptr = xrealloc_array(NULL, d->count, sizeof(*d->ptr));
	for (uint64_t i = 0; i < d->count; i++)
		d->ptr[i] = digest;
}

void block_digests_free(struct block_digests *d)
{
	free(d->ptr);
	*d = (struct block_digests){0};
}

static uint8_t *piece_new(void)
{
	uint8_t *p = aligned_alloc(VERITY_BLOCK, PIECE);

	if (!p)
		abort();
	return p;
}

static struct sha256 *digest_at(const struct writer *w, uint64_t disk_offset)
{
	uint64_t index = disk_offset / LAYOUT_BLOCK;

	if (disk_offset % LAYOUT_BLOCK != 0 || index >= w->blocks->count)
		abort(); /* the layout is ours */
	return &w->blocks->ptr[index];
}

/* Where the run of blocks from @i on ends that are not zero and belong into one write; @i when it is zero. */
static size_t run_end(const uint8_t *piece, size_t i)
{
	size_t limit = i - i % WRITE_BLOCKS + WRITE_BLOCKS;

	while (i < limit && !is_zero(piece + i * VERITY_BLOCK, VERITY_BLOCK))
		i++;
	return i;
}

/* Writes the runs of blocks that are not zero; the others stay holes. */
static int write_sparse(const struct writer *w, const uint8_t *piece, uint64_t offset, struct error *err)
{
	uint64_t written = 0;

	for (size_t i = 0, end; i<PIECE_BLOCKS; i = end> i ? end : i + 1) {
		int r;

		end = run_end(piece, i);
		if (end == i)
			continue;
		r = io_pwrite_full(w->fd, w->name, piece + i * VERITY_BLOCK, (end - i) * VERITY_BLOCK,
				   offset + i * VERITY_BLOCK, err);
		if (r < 0)
			return r;
		written += (end - i) * VERITY_BLOCK;
	}
	if (w->nonzero)
		__atomic_fetch_add(w->nonzero, written, __ATOMIC_RELAXED);
	return 0;
}

/* Stores block @index of level 0: the digests of the data blocks of a piece. The last one may have fewer. */
static int put_level0(const struct job *j, struct verity_hasher *h, uint64_t index, struct sha256 *digests,
		      struct error *err)
{
	const struct verity_geometry *g = &j->tree->geometry;
	uint64_t left = g->data_blocks - index * PIECE_BLOCKS;

	if (left < PIECE_BLOCKS)
		memset(&digests[left], 0, (PIECE_BLOCKS - left) * sizeof(*digests));
	verity_tree_set(j->tree, h, index, digests);
	if (g->levels == 0)
		return 0;
	return io_pwrite_full(j->w->fd, j->w->name, digests, VERITY_BLOCK,
			      j->verity_offset + (g->level_start[0] + index) * VERITY_BLOCK, err);
}

static uint64_t piece_length(const struct job *j, uint64_t index)
{
	uint64_t left = j->size - index * PIECE;

	return left < PIECE ? left : PIECE;
}

static int put_piece(const struct job *j, struct verity_hasher *h, uint64_t index, uint8_t *piece,
		     struct error *err)
{
	uint64_t at = index * PIECE, len = piece_length(j, index);
	struct sha256 digests[PIECE_BLOCKS], *plain = digest_at(j->w, j->offset + at);
	int r;

	if (!j->tree && !gather_touches(j->extents, at, len))
		return 0;
	r = gather(j->w->tree, j->extents, at, piece, len, err);
	if (r < 0)
		return r;
	memset(piece + len, 0, PIECE - len);
	if (is_zero(piece, PIECE))
		plain = NULL; /* as block_digests_init() left it */
	if (j->tree)
		verity_hash_blocks(h, piece, PIECE_BLOCKS, digests, plain);
	else if (plain)
		sha256_of(piece, PIECE, plain);
	r = write_sparse(j->w, piece, j->offset + at, err);
	if (r < 0 || !j->tree)
		return r;
	return put_level0(j, h, index, digests, err);
}

/*
 * Without this the disk would stand still until the fsync at the end. A hint: what of the run is not written
 * yet waits for that fsync, which is also the one to report errors (this kind of call neither waits nor sees
 * them).
 */
static void start_writeback(const struct job *j, uint64_t index)
{
	uint64_t end = index + 1;

	if (end % WRITEBACK_PIECES == 0)
		(void)sync_file_range(j->w->fd, (off_t)(j->offset + (end - WRITEBACK_PIECES) * PIECE),
				      WRITEBACK_PIECES * PIECE, SYNC_FILE_RANGE_WRITE);
}

static int put_worker(struct workers *workers, void *user, struct error *err)
{
	const struct job *j = user;
	_cleanup_verity_hasher_ struct verity_hasher *h = j->tree ? verity_hasher_new(j->sb->salt) : NULL;
	_cleanup_free_ uint8_t *piece = piece_new();
	uint64_t index;

	while (workers_next(workers, &index)) {
		int r = put_piece(j, h, index, piece, err);

		if (r < 0)
			return r;
		start_writeback(j, index);
		if (j->w->progress)
			progress_add(j->w->progress, piece_length(j, index));
	}
	return 0;
}

static int run(struct job *j, struct error *err)
{
	return workers_run(j->w->threads, (j->size + PIECE - 1) / PIECE, put_worker, j, err);
}

int writer_put(const struct writer *w, uint64_t offset, uint64_t size, const struct extent_list *extents,
	       struct error *err)
{
	struct job j = {.w = w, .extents = extents, .offset = offset, .size = size};

	return run(&j, err);
}

int writer_rehash(const struct writer *w, uint64_t index, struct error *err)
{
	_cleanup_free_ uint8_t *piece = piece_new();
	uint64_t offset = index * LAYOUT_BLOCK;
	int r = io_pread_full(w->fd, w->name, piece, PIECE, offset, err);

	if (r < 0)
		return r;
	sha256_of(piece, PIECE, digest_at(w, offset));
	return 0;
}

static int rehash_worker(struct workers *workers, void *user, struct error *err)
{
	const struct job *j = user;
	uint64_t index;

	while (workers_next(workers, &index)) {
		int r = writer_rehash(j->w, j->verity_offset / LAYOUT_BLOCK + index, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* What comes before level 0 on the hash device; then all of it is read back for its block digests. */
static int finish_verity(struct job *j, struct error *err)
{
	_cleanup_verity_hasher_ struct verity_hasher *h = verity_hasher_new(j->sb->salt);
	uint8_t superblock[VERITY_BLOCK];
	uint64_t bytes = j->tree->geometry.hash_blocks * VERITY_BLOCK;
	int r;

	verity_tree_finish(j->tree, h);
	verity_superblock_encode(j->sb, superblock);
	r = io_pwrite_full(j->w->fd, j->w->name, superblock, VERITY_BLOCK, j->verity_offset, err);
	if (r < 0)
		return r;
	r = io_pwrite_full(j->w->fd, j->w->name, j->tree->upper, j->tree->upper_blocks * VERITY_BLOCK,
			   j->verity_offset + VERITY_BLOCK, err);
	if (r < 0)
		return r;
	if (j->w->nonzero)
		*j->w->nonzero += bytes;
	return workers_run(j->w->threads, (bytes + PIECE - 1) / PIECE, rehash_worker, j, err);
}

int writer_put_verity(const struct writer *w, uint64_t root_offset, uint64_t root_size,
		      const struct extent_list *extents, uint64_t verity_offset,
		      const struct verity_superblock *sb, struct sha256 *ret_root, struct error *err)
{
	_cleanup_verity_tree_ struct verity_tree tree = {0};
	struct job j = {
		.w = w,
		.extents = extents,
		.offset = root_offset,
		.size = root_size,
		.tree = &tree,
		.sb = sb,
		.verity_offset = verity_offset,
	};
	int r;

	if (root_size % VERITY_BLOCK != 0 || root_size / VERITY_BLOCK != sb->data_blocks)
		return error_set(err, -EINVAL,
				 "%s: the root has %ju bytes, its superblock says %ju blocks of %u", w->name,
				 (uintmax_t)root_size, (uintmax_t)sb->data_blocks, VERITY_BLOCK);
	r = verity_tree_init(&tree, sb->data_blocks, err);
	if (r < 0)
		return r;
	r = run(&j, err);
	if (r < 0)
		return r;
	r = finish_verity(&j, err);
	if (r < 0)
		return r;
	*ret_root = tree.root;
	return 0;
}
