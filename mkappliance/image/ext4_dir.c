/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directory blocks (Documentation/filesystems/ext4/directory.rst). What fits into one block is a plain list
 * of names. Anything larger has a hash tree in front: block 0 is its root, then the nodes of a second level
 * if one is needed, then the leaves, which are plain blocks that hold the names in hash order. Leaves are
 * filled to the brim, as nothing is ever added.
 */
#include "image/ext4_internal.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/mem.h"

#define DIRENT_HEAD 8u
#define DOTS_SIZE   24u /* "." and ".." */

/* One entry of the hash tree: names from @hash on are in block @block of the directory. */
struct dx_entry {
	uint32_t hash;
	uint32_t block;
};

/* Takes the place of the hash of the first entry, which is 0 by definition. */
struct dx_countlimit {
	uint16_t limit;
	uint16_t count;
};

#define ROOT_ENTRIES_AT (DOTS_SIZE + 8u)
#define ROOT_LIMIT	((EXT4_BLOCK - ROOT_ENTRIES_AT) / (unsigned)sizeof(struct dx_entry))
#define NODE_ENTRIES_AT DIRENT_HEAD
#define NODE_LIMIT	((EXT4_BLOCK - NODE_ENTRIES_AT) / (unsigned)sizeof(struct dx_entry))

static uint32_t dirent_size(uint32_t name_len)
{
	return (DIRENT_HEAD + name_len + 3) & ~3u;
}

/* ---- order and size ---- */

struct hashed {
	uint32_t hash;
	uint32_t minor;
	uint32_t node;
};

/*
 * The kernel keeps the largest hash for the end of the directory, and looks for such a name one step below.
 */
static uint32_t name_hash(const struct ext4 *fs, const struct ext4_node *n, uint32_t *ret_minor)
{
	const uint32_t end = 0x7fffffffu << 1;
	ext2_dirhash_t hash = 0, minor = 0;

	(void)ext2fs_dirhash2(EXT4_HASH_VERSION, n->name, (int)n->name_len, NULL, 0, fs->seed, &hash, &minor);
	*ret_minor = minor;
	return hash == end ? end - 2 : hash;
}

static int by_hash(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->minor != y->minor)
		return x->minor < y->minor ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

static void sort_by_hash(struct ext4 *fs, const struct ext4_node *dir)
{
	_cleanup_free_ struct hashed *h = xcalloc(dir->children, sizeof(*h));
	uint32_t *child = fs->children + dir->first_child;

	for (uint32_t i = 0; i < dir->children; i++) {
		h[i].node = child[i];
		h[i].hash = name_hash(fs, &fs->nodes[child[i]], &h[i].minor);
	}
	qsort(h, dir->children, sizeof(*h), by_hash);
	for (uint32_t i = 0; i < dir->children; i++)
		child[i] = h[i].node;
}

/* How many children from number @from on fit into a block of which @used bytes are taken. */
static uint32_t count_fitting(const struct ext4 *fs, const struct ext4_node *dir, uint32_t from,
			      uint32_t used)
{
	const uint32_t *child = fs->children + dir->first_child;
	uint32_t i = from;

	for (; i < dir->children; i++) {
		used += dirent_size(fs->nodes[child[i]].name_len);
		if (used > EXT4_BLOCK)
			break;
	}
	return i - from;
}

static uint32_t count_leaves(const struct ext4 *fs, const struct ext4_node *dir)
{
	uint32_t leaves = 0;

	for (uint32_t at = 0; at < dir->children; leaves++)
		at += count_fitting(fs, dir, at, 0);
	return leaves;
}

/* Nodes of the second level: none while the root can point to all leaves. */
static uint32_t count_nodes(uint32_t leaves)
{
	return leaves <= ROOT_LIMIT ? 0 : (uint32_t)div_up(leaves, NODE_LIMIT);
}

int ext4_dir_measure(struct ext4 *fs, struct ext4_node *dir, struct error *err)
{
	uint32_t leaves;

	dir->blocks = 1;
	dir->indexed = count_fitting(fs, dir, 0, DOTS_SIZE) < dir->children;
	if (!dir->indexed)
		return 0;
	sort_by_hash(fs, dir);
	leaves = count_leaves(fs, dir);
	if (count_nodes(leaves) > ROOT_LIMIT)
		return error_set(err, -E2BIG, "/%s: %u names are too many for one directory",
				 dir->entry->path, dir->children);
	dir->blocks = 1 + count_nodes(leaves) + leaves;
	return 0;
}

/* ---- writing ---- */

static uint8_t file_type(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return EXT2_FT_REG_FILE;
	case S_IFDIR:
		return EXT2_FT_DIR;
	case S_IFCHR:
		return EXT2_FT_CHRDEV;
	case S_IFBLK:
		return EXT2_FT_BLKDEV;
	case S_IFIFO:
		return EXT2_FT_FIFO;
	case S_IFSOCK:
		return EXT2_FT_SOCK;
	default:
		return EXT2_FT_SYMLINK;
	}
}

static void put_dirent(uint8_t *at, uint32_t ino, uint32_t size, uint8_t type, const char *name,
		       uint32_t name_len)
{
	struct ext2_dir_entry_2 head = {
		.inode = ino, .rec_len = (uint16_t)size, .name_len = (uint8_t)name_len, .file_type = type};

	memcpy(at, &head, DIRENT_HEAD);
	memcpy(at + DIRENT_HEAD, name, name_len);
}

/* "." and ".."; the second takes @space bytes. */
static void put_dots(const struct ext4 *fs, const struct ext4_node *dir, uint8_t *at, uint32_t space)
{
	put_dirent(at, dir->ino, 12, EXT2_FT_DIR, ".", 1);
	put_dirent(at + 12, fs->nodes[dir->parent].ino, space, EXT2_FT_DIR, "..", 2);
}

/*
 * @count children from number @from on, behind the first @at bytes; the last one reaches to the end of the
 * block.
 */
static void put_children(const struct ext4 *fs, const struct ext4_node *dir, uint32_t from, uint32_t count,
			 uint8_t *block, uint32_t at)
{
	const uint32_t *child = fs->children + dir->first_child + from;

	for (uint32_t i = 0; i < count; i++) {
		const struct ext4_node *n = &fs->nodes[child[i]];
		const struct tree_entry *e = n->entry->hardlink ? n->entry->hardlink : n->entry;
		uint32_t size = i + 1 < count ? dirent_size(n->name_len) : EXT4_BLOCK - at;

		put_dirent(block + at, n->ino, size, file_type(e->mode), n->name, n->name_len);
		at += size;
	}
}

/* Bytes that @count children from @from on take, without what is free behind the last. */
static uint32_t children_size(const struct ext4 *fs, const struct ext4_node *dir, uint32_t from,
			      uint32_t count)
{
	const uint32_t *child = fs->children + dir->first_child + from;
	uint32_t size = 0;

	for (uint32_t i = 0; i < count; i++)
		size += dirent_size(fs->nodes[child[i]].name_len);
	return size;
}

static void fill_plain(struct ext4 *fs, const struct ext4_node *dir)
{
	uint32_t used = DOTS_SIZE + children_size(fs, dir, 0, dir->children);
	uint8_t *block = ext4_small_block(fs, dir->block, used);

	put_dots(fs, dir, block, dir->children ? 12 : EXT4_BLOCK - 12);
	put_children(fs, dir, 0, dir->children, block, DOTS_SIZE);
}

/*
 * Writes the leaves, and what the tree above must know of each. Where names of one hash are spread over two
 * leaves, bit 0 of the second's hash says so.
 */
static void fill_leaves(struct ext4 *fs, const struct ext4_node *dir, uint32_t first_block,
			struct dx_entry *index)
{
	const uint32_t *child = fs->children + dir->first_child;
	uint32_t last = 0, minor, leaf = 0;

	for (uint32_t at = 0, count; at < dir->children; at += count, leaf++) {
		uint32_t hash = name_hash(fs, &fs->nodes[child[at]], &minor);
		uint32_t used, block = first_block + leaf;

		count = count_fitting(fs, dir, at, 0);
		used = children_size(fs, dir, at, count);
		put_children(fs, dir, at, count, ext4_small_block(fs, dir->block + block, used), 0);
		index[leaf].hash = hash | (leaf > 0 && hash == last);
		index[leaf].block = block;
		last = name_hash(fs, &fs->nodes[child[at + count - 1]], &minor);
	}
}

static void put_index(uint8_t *at, uint32_t limit, const struct dx_entry *index, uint32_t count)
{
	struct dx_countlimit cl = {.limit = (uint16_t)limit, .count = (uint16_t)count};

	memcpy(at, index, count * sizeof(*index));
	memcpy(at, &cl, sizeof(cl));
}

/* The second level; @index shrinks from one entry a leaf to one entry a node. */
static void fill_nodes(struct ext4 *fs, const struct ext4_node *dir, struct dx_entry *index, uint32_t leaves)
{
	for (uint32_t node = 0; node < count_nodes(leaves); node++) {
		uint32_t from = node * NODE_LIMIT;
		uint32_t count = leaves - from < NODE_LIMIT ? leaves - from : NODE_LIMIT;
		uint8_t *block = ext4_small_block(fs, dir->block + 1 + node, EXT4_BLOCK);

		put_dirent(block, 0, EXT4_BLOCK, 0, "", 0);
		put_index(block + NODE_ENTRIES_AT, NODE_LIMIT, index + from, count);
		index[node] = (struct dx_entry){.hash = index[from].hash, .block = 1 + node};
	}
}

static void fill_indexed(struct ext4 *fs, const struct ext4_node *dir)
{
	uint32_t leaves = count_leaves(fs, dir), nodes = count_nodes(leaves);
	_cleanup_free_ struct dx_entry *index = xcalloc(leaves, sizeof(*index));
	struct ext2_dx_root_info info = {.hash_version = EXT2_HASH_HALF_MD4,
					 .info_length = sizeof(info),
					 .indirect_levels = nodes > 0};
	uint8_t *root = ext4_small_block(fs, dir->block, EXT4_BLOCK);

	fill_leaves(fs, dir, 1 + nodes, index);
	fill_nodes(fs, dir, index, leaves);
	put_dots(fs, dir, root, EXT4_BLOCK - 12);
	memcpy(root + DOTS_SIZE, &info, sizeof(info));
	put_index(root + ROOT_ENTRIES_AT, ROOT_LIMIT, index, nodes ? nodes : leaves);
}

void ext4_dir_fill(struct ext4 *fs, const struct ext4_node *dir)
{
	if (dir->indexed)
		fill_indexed(fs, dir);
	else
		fill_plain(fs, dir);
}
