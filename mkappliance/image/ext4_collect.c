/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the tree to nodes: who is whose child, which names share an inode, and the inode numbers. They are
 * given in the order (layer, path), so what an upper layer adds comes after everything below it and
 * renumbers nothing.
 */
#include "image/ext4_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/mem.h"

/* The directories from the root down to the one that is being listed. */
struct stack {
	uint32_t *node;
	size_t *path_len;
	size_t len;
	size_t cap;
};

static void stack_push(struct stack *s, uint32_t node, size_t path_len)
{
	if (s->len == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 32;
		s->node = xrealloc_array(s->node, s->cap, sizeof(*s->node));
		s->path_len = xrealloc_array(s->path_len, s->cap, sizeof(*s->path_len));
	}
	s->node[s->len] = node;
	s->path_len[s->len++] = path_len;
}

static void stack_free(struct stack *s)
{
	free(s->node);
	free(s->path_len);
}

#define _cleanup_stack_ _cleanup_(stack_free)

/* Goes up to the lowest directory that holds @path. The root, at the bottom, holds everything. */
static void stack_rewind(struct stack *s, const struct ext4 *fs, const char *path)
{
	for (; s->len > 1; s->len--) {
		const char *dir = fs->nodes[s->node[s->len - 1]].entry->path;
		size_t len = s->path_len[s->len - 1];

		if (strncmp(path, dir, len) == 0 && path[len] == '/')
			return;
	}
}

static int check_name(const struct tree_entry *e, const char *name, size_t len, struct error *err)
{
	if (memchr(name, '/', len))
		return error_set(err, -EINVAL, "/%s: the tree does not have the directory that it is in",
				 e->path);
	if (len == 0 || (len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
		return error_set(err, -EINVAL, "/%s: not a name that a file can have", e->path);
	if (len > 255)
		return error_set(err, -ENAMETOOLONG, "/%s: the name has %zu bytes, at most 255 fit", e->path,
				 len);
	return 0;
}

static int check_entry(const struct tree_entry *e, struct error *err)
{
	size_t len;

	if (e->hardlink) {
		if (e->hardlink->hardlink || S_ISDIR(e->hardlink->mode))
			return error_set(err, -EINVAL, "/%s: hard link to something that is not a file",
					 e->path);
		return 0;
	}
	switch (e->mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return 0;
	case S_IFLNK:
		len = e->target ? strlen(e->target) : 0;
		if (len == 0 || len >= EXT4_BLOCK)
			return error_set(err, -EINVAL,
					 "/%s: target of the symbolic link has %zu bytes; 1 to %u fit",
					 e->path, len, EXT4_BLOCK - 1);
		return 0;
	default:
		return error_set(err, -EINVAL, "/%s: file type %#o is unknown", e->path, e->mode & S_IFMT);
	}
}

static struct ext4_node *add_node(struct ext4 *fs, const struct tree_entry *e)
{
	struct ext4_node *n = &fs->nodes[fs->count++];

	n->entry = e;
	n->name = e->path;
	return n;
}

static int add_entry(struct ext4 *fs, struct stack *dirs, const struct tree_entry *e, struct error *err)
{
	size_t path_len = strlen(e->path), skip;
	struct ext4_node *n;
	int r;

	stack_rewind(dirs, fs, e->path);
	skip = dirs->len > 1 ? dirs->path_len[dirs->len - 1] + 1 : 0;
	r = check_name(e, e->path + skip, path_len - skip, err);
	if (r < 0)
		return r;
	r = check_entry(e, err);
	if (r < 0)
		return r;
	n = add_node(fs, e);
	n->name += skip;
	n->name_len = (uint32_t)(path_len - skip);
	n->parent = dirs->node[dirs->len - 1];
	fs->nodes[n->parent].children++;
	if (S_ISDIR(e->mode) && !e->hardlink)
		stack_push(dirs, fs->count - 1, path_len);
	return 0;
}

static void add_root(struct ext4 *fs, bool *ret_in_tree)
{
	static char no_path[] = "";
	const struct tree *t = fs->tree;

	*ret_in_tree = t->len && t->entries[0]->path[0] == 0;
	fs->root = (struct tree_entry){.path = no_path, .mode = S_IFDIR | 0755, .mtime = fs->epoch};
	add_node(fs, *ret_in_tree ? t->entries[0] : &fs->root);
}

/* Where e2fsck would put what it finds; it wants one, and would make one where it may write. */
static void add_lost_found(struct ext4 *fs)
{
	static char path[] = "lost+found";
	struct ext4_node *n;

	if (tree_find(fs->tree, path))
		return;
	fs->lost_found = (struct tree_entry){.path = path, .mode = S_IFDIR | 0700, .mtime = fs->epoch};
	n = add_node(fs, &fs->lost_found);
	n->name_len = sizeof(path) - 1;
	fs->nodes[0].children++;
}

static int add_all(struct ext4 *fs, struct error *err)
{
	const struct tree *t = fs->tree;
	_cleanup_stack_ struct stack dirs = {0};
	bool in_tree;
	int r;

	if (t->len > UINT32_MAX / 2)
		return error_set(err, -E2BIG, "the tree has %zu entries, more than ext4 has inodes for",
				 t->len);
	fs->nodes = xcalloc(t->len + 2, sizeof(*fs->nodes));
	add_root(fs, &in_tree);
	if (!S_ISDIR(fs->nodes[0].entry->mode) || fs->nodes[0].entry->hardlink)
		return error_set(err, -EINVAL, "/: the root of the tree is not a directory");
	stack_push(&dirs, 0, 0);
	for (size_t i = in_tree; i < t->len; i++) {
		if (i > 0 && tree_path_compare(t->entries[i - 1]->path, t->entries[i]->path) >= 0)
			return error_set(err, -EINVAL, "/%s: twice in the tree, or out of order",
					 t->entries[i]->path);
		r = add_entry(fs, &dirs, t->entries[i], err);
		if (r < 0)
			return r;
	}
	add_lost_found(fs);
	return 0;
}

static void gather_children(struct ext4 *fs)
{
	uint32_t next = 0;

	fs->children = xcalloc(fs->count, sizeof(*fs->children));
	for (uint32_t i = 0; i < fs->count; i++) {
		fs->nodes[i].first_child = next;
		next += fs->nodes[i].children;
		fs->nodes[i].children = 0;
	}
	for (uint32_t i = 1; i < fs->count; i++) {
		struct ext4_node *parent = &fs->nodes[fs->nodes[i].parent];

		fs->children[parent->first_child + parent->children++] = i;
	}
}

/* Sorts the nodes by layer; within one they stay in path order. */
static void order_nodes(struct ext4 *fs)
{
	_cleanup_free_ uint32_t *start = NULL;
	unsigned layers = 0;

	for (uint32_t i = 0; i < fs->count; i++)
		if (fs->nodes[i].entry->layer >= layers)
			layers = fs->nodes[i].entry->layer + 1;
	start = xcalloc((size_t)layers + 1, sizeof(*start));
	for (uint32_t i = 0; i < fs->count; i++)
		start[fs->nodes[i].entry->layer + 1]++;
	for (unsigned l = 1; l <= layers; l++)
		start[l] += start[l - 1];
	fs->order = xcalloc(fs->count, sizeof(*fs->order));
	for (uint32_t i = 0; i < fs->count; i++)
		fs->order[start[fs->nodes[i].entry->layer]++] = i;
}

static void number_inodes(struct ext4 *fs)
{
	const struct tree_entry *lost_found = tree_find(fs->tree, "lost+found");

	/* As a further name of another file it has no inode, and that number is the first one to be given. */
	fs->last_ino = lost_found && lost_found->hardlink ? EXT4_LOST_FOUND_INO - 1 : EXT4_LOST_FOUND_INO;
	for (uint32_t i = 0; i < fs->count; i++) {
		struct ext4_node *n = &fs->nodes[fs->order[i]];

		if (n->entry->hardlink)
			continue;
		if (n == fs->nodes)
			n->ino = EXT4_ROOT_INO;
		else if (n->parent == 0 && n->name_len == 10 && memcmp(n->name, "lost+found", 10) == 0)
			n->ino = EXT4_LOST_FOUND_INO;
		else
			n->ino = ++fs->last_ino;
	}
}

/* The node whose inode @e is another name of: by path, as nodes from 1 on are in tree order. */
static struct ext4_node *find_target(struct ext4 *fs, const struct tree_entry *e)
{
	uint32_t low = 1, high = fs->count - (fs->nodes[fs->count - 1].entry == &fs->lost_found);

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int c = tree_path_compare(fs->nodes[mid].entry->path, e->hardlink->path);

		if (c == 0)
			return fs->nodes[mid].entry == e->hardlink ? &fs->nodes[mid] : NULL;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static int count_links(struct ext4 *fs, struct error *err)
{
	for (uint32_t i = 0; i < fs->count; i++) {
		struct ext4_node *n = &fs->nodes[i], *file = n;

		if (n->entry->hardlink) {
			file = find_target(fs, n->entry);
			if (!file)
				return error_set(err, -EINVAL,
						 "/%s: hard link to '/%s', which is not in the tree",
						 n->entry->path, n->entry->hardlink->path);
			n->ino = file->ino;
		}
		if (S_ISDIR(file->entry->mode)) {
			n->links += 2;
			if (i > 0)
				fs->nodes[n->parent].links++;
		} else if (++file->links > EXT4_MAX_LINKS) {
			return error_set(err, -EMLINK, "/%s: more than %u hard links", file->entry->path,
					 EXT4_MAX_LINKS);
		}
	}
	return 0;
}

int ext4_collect(struct ext4 *fs, struct error *err)
{
	int r = add_all(fs, err);

	if (r < 0)
		return r;
	gather_children(fs);
	order_nodes(fs);
	number_inodes(fs);
	return count_links(fs, err);
}
