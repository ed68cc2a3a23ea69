/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose block is it? Reads the metadata of an image that is already known to be damaged, so nothing read is
 * believed: an own small reader that knows just the shape that ext4_plan() gives a file system, with a
 * budget of reads that ends every loop. A wrong answer is possible when metadata is damaged, a crash or a
 * hang is not.
 */
#include "image/ext4_internal.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <ext2fs/ext3_extents.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/mem.h"

#define READ_BUDGET (1u << 20) /* blocks; a tree of 60,000 entries takes about 50,000 */
#define READ_TIMES  16	       /* and never more than this many times the whole image */
#define DEPTH_MAX   5	       /* of an extent tree: enough for any file */
#define PATH_DEPTH  128
#define GROUPS_MAX  (1u << 17) /* 16 TiB */
#define DIRS_MAX    (1u << 20)

struct dir {
	uint32_t ino;
	uint32_t i_block[15];
};

struct reader {
	int fd;
	uint64_t offset; /* of the file system in the image, bytes */
	unsigned budget;
	uint32_t blocks;
	uint32_t inodes_per_group;
	uint32_t groups;
	struct ext2_group_desc *groups_at;
	struct dir *dirs; /* all directories, for names */
	size_t dir_count;
	size_t dir_cap;
};

static void reader_free(struct reader *r)
{
	free(r->groups_at);
	free(r->dirs);
}

#define _cleanup_reader_ _cleanup_(reader_free)

static bool read_bytes(struct reader *r, uint64_t at, void *buf, size_t len)
{
	char *p = buf;

	if (r->budget == 0)
		return false;
	r->budget--;
	while (len > 0) {
		ssize_t n = pread(r->fd, p, len, (off_t)(r->offset + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

static bool read_block(struct reader *r, uint32_t block, void *buf)
{
	return block < r->blocks && read_bytes(r, (uint64_t)block * EXT4_BLOCK, buf, EXT4_BLOCK);
}

/* Blocks of the file system that the image really has. */
static uint64_t real_blocks(const struct reader *r)
{
	off_t end = lseek(r->fd, 0, SEEK_END);

	return end > 0 && (uint64_t)end > r->offset ? ((uint64_t)end - r->offset) / EXT4_BLOCK : 0;
}

static bool read_super(struct reader *r)
{
	uint64_t groups, bytes, real = real_blocks(r);
	struct ext2_super_block sb;

	if (!read_bytes(r, 1024, &sb, sizeof(sb)) || sb.s_magic != EXT2_SUPER_MAGIC ||
	    sb.s_log_block_size != 2 || sb.s_inode_size != EXT4_INODE ||
	    (sb.s_feature_incompat & EXT4_FEATURE_INCOMPAT_64BIT) || sb.s_blocks_count == 0 ||
	    sb.s_blocks_per_group == 0 || sb.s_blocks_per_group > EXT4_MAX_GROUP ||
	    sb.s_inodes_per_group == 0 || sb.s_inodes_per_group > EXT4_MAX_GROUP ||
	    sb.s_inodes_per_group % EXT4_INODES_PER_BLOCK)
		return false;
	groups = div_up(sb.s_blocks_count, sb.s_blocks_per_group);
	bytes = groups * sizeof(struct ext2_group_desc);
	if (groups > GROUPS_MAX)
		return false;
	r->blocks = sb.s_blocks_count < real ? sb.s_blocks_count : (uint32_t)real;
	if (r->blocks < READ_BUDGET / READ_TIMES)
		r->budget = r->blocks * READ_TIMES;
	r->inodes_per_group = sb.s_inodes_per_group;
	r->groups = (uint32_t)groups;
	r->groups_at = xmalloc(bytes);
	return read_bytes(r, EXT4_BLOCK, r->groups_at, bytes);
}

/* ---- blocks that belong to no file ---- */

static const char *metadata_name(const struct reader *r, uint64_t block)
{
	uint64_t table = r->inodes_per_group / EXT4_INODES_PER_BLOCK;
	uint64_t descriptors = div_up((uint64_t)r->groups * sizeof(struct ext2_group_desc), EXT4_BLOCK);

	if (block <= descriptors)
		return "group descriptors";
	for (uint32_t i = 0; i < r->groups; i++) {
		const struct ext2_group_desc *g = &r->groups_at[i];

		if (block == g->bg_block_bitmap)
			return "block bitmap";
		if (block == g->bg_inode_bitmap)
			return "inode bitmap";
		if (block >= g->bg_inode_table && block - g->bg_inode_table < table)
			return "inode table";
	}
	return NULL;
}

/* ---- extent trees ---- */

/*
 * Told of each run of blocks, and of each node of the tree itself (@count is 1, @node true). Returns true
 * to end the walk.
 */
typedef bool (*run_fn)(struct reader *r, uint64_t block, uint32_t count, bool node, void *data);

static bool walk_node(struct reader *r, const uint8_t *node, size_t size, unsigned depth, run_fn fn,
		      void *data)
{
	const size_t head = sizeof(struct ext3_extent_header);
	struct ext3_extent_header h;
	uint8_t child[EXT4_BLOCK];

	memcpy(&h, node, head);
	if (h.eh_magic != EXT3_EXT_MAGIC || h.eh_depth != depth ||
	    h.eh_entries > (size - head) / sizeof(struct ext3_extent))
		return false;
	for (unsigned i = 0; i < h.eh_entries; i++) {
		const uint8_t *at = node + head + i * sizeof(struct ext3_extent);
		struct ext3_extent x;
		struct ext3_extent_idx down;

		memcpy(&x, at, sizeof(x));
		memcpy(&down, at, sizeof(down));
		if (depth == 0) {
			if (x.ee_start_hi == 0 && fn(r, x.ee_start, x.ee_len, false, data))
				return true;
		} else if (down.ei_leaf_hi == 0 && read_block(r, down.ei_leaf, child)) {
			if (fn(r, down.ei_leaf, 1, true, data) ||
			    walk_node(r, child, sizeof(child), depth - 1, fn, data))
				return true;
		}
	}
	return false;
}

static bool walk_tree(struct reader *r, const uint32_t i_block[15], run_fn fn, void *data)
{
	struct ext3_extent_header h;

	memcpy(&h, i_block, sizeof(h));
	return h.eh_depth <= DEPTH_MAX &&
	       walk_node(r, (const uint8_t *)i_block, 15 * sizeof(uint32_t), h.eh_depth, fn, data);
}

/* ---- names ---- */

/* Looks for the entry of an inode in the blocks of a directory. */
struct name_search {
	uint32_t ino;
	char name[256];
};

static bool name_in_block(const uint8_t *block, struct name_search *s)
{
	for (size_t at = 0; at + 8 <= EXT4_BLOCK;) {
		struct ext2_dir_entry_2 d;
		const char *name = (const char *)block + at + 8;

		memcpy(&d, block + at, 8);
		if (d.rec_len < 8 || d.rec_len > EXT4_BLOCK - at || d.name_len > EXT4_BLOCK - at - 8)
			return false;
		if (d.inode == s->ino && d.name_len > 0 && !(d.name_len == 1 && name[0] == '.') &&
		    !(d.name_len == 2 && name[0] == '.' && name[1] == '.')) {
			memcpy(s->name, name, d.name_len);
			s->name[d.name_len] = 0;
			return true;
		}
		at += d.rec_len;
	}
	return false;
}

static bool name_in_run(struct reader *r, uint64_t block, uint32_t count, bool node, void *data)
{
	uint8_t buf[EXT4_BLOCK];

	for (uint32_t i = 0; !node && i < count && block + i < r->blocks && r->budget; i++)
		if (read_block(r, (uint32_t)(block + i), buf) && name_in_block(buf, data))
			return true;
	return false;
}

static char *path_of(struct reader *r, uint32_t ino)
{
	char *path = xstrdup(ino == EXT4_ROOT_INO ? "/" : "");

	for (unsigned depth = 0; ino != EXT4_ROOT_INO; depth++) {
		struct name_search s = {.ino = ino};
		char *longer;
		size_t i = 0;

		while (i < r->dir_count && !walk_tree(r, r->dirs[i].i_block, name_in_run, &s))
			i++;
		if (i == r->dir_count || depth == PATH_DEPTH) {
			free(path);
			return xasprintf("inode %u", ino);
		}
		longer = xasprintf("/%s%s", s.name, path);
		free(path);
		path = longer;
		ino = r->dirs[i].ino;
	}
	return path;
}

/* ---- inodes ---- */

struct block_search {
	uint64_t block;
	bool node; /* found in the tree itself */
};

static bool block_in_run(struct reader *r, uint64_t block, uint32_t count, bool node, void *data)
{
	struct block_search *s = data;

	(void)r;
	s->node = node;
	return s->block >= block && s->block - block < count;
}

/* The owner found, while directories are still being listed. */
struct owner {
	uint32_t ino;
	const char *what; /* "directory " and so on, goes in front of the path; NULL: none found */
};

static void look_at_inode(struct reader *r, uint32_t ino, const struct ext2_inode_large *d, uint64_t block,
			  struct owner *o)
{
	struct block_search s = {.block = block};

	if (d->i_links_count == 0)
		return;
	if (S_ISDIR(d->i_mode) && (d->i_flags & EXT4_EXTENTS_FL) && r->dir_count < DIRS_MAX) {
		array_grow(r->dirs, r->dir_count, r->dir_cap);
		r->dirs[r->dir_count].ino = ino;
		memcpy(r->dirs[r->dir_count++].i_block, d->i_block, sizeof(d->i_block));
	}
	if (o->what)
		return;
	if (d->i_file_acl && d->i_file_acl == block)
		*o = (struct owner){ino, "attributes of "};
	else if ((d->i_flags & EXT4_EXTENTS_FL) && walk_tree(r, d->i_block, block_in_run, &s))
		*o = (struct owner){ino, s.node ? "extent tree of " : S_ISDIR(d->i_mode) ? "directory " : ""};
}

static bool scan_inodes(struct reader *r, uint64_t block, struct owner *o)
{
	uint8_t buf[EXT4_BLOCK];
	uint32_t per_group = r->inodes_per_group / EXT4_INODES_PER_BLOCK;

	for (uint32_t group = 0; group < r->groups; group++)
		for (uint32_t i = 0; i < per_group; i++) {
			uint32_t first = group * r->inodes_per_group + i * EXT4_INODES_PER_BLOCK + 1;

			if (r->budget == 0)
				return false;
			if (!read_block(r, r->groups_at[group].bg_inode_table + i, buf))
				continue;
			for (uint32_t k = 0; k < EXT4_INODES_PER_BLOCK; k++) {
				struct ext2_inode_large d;

				memcpy(&d, buf + (size_t)k * EXT4_INODE, sizeof(d));
				look_at_inode(r, first + k, &d, block, o);
			}
		}
	return true;
}

char *ext4_block_owner(int fd, uint64_t offset, uint64_t block)
{
	_cleanup_reader_ struct reader r = {.fd = fd, .offset = offset, .budget = READ_BUDGET};
	_cleanup_free_ char *path = NULL;
	struct owner o = {0};
	const char *name;

	if (block == 0)
		return xstrdup("superblock");
	if (!read_super(&r) || block >= r.blocks)
		return xstrdup("unknown");
	name = metadata_name(&r, block);
	if (name)
		return xstrdup(name);
	if (!scan_inodes(&r, block, &o) && !o.what)
		return xstrdup("unknown");
	if (!o.what)
		return xstrdup("free");
	path = path_of(&r, o.ino);
	return xasprintf("%s%s", o.what, path);
}
