/* SPDX-License-Identifier: Apache-2.0 */
/* The names of the tree that is being merged; the rules of layers are in merge_layer.c. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/merge_node.h"
#include "lib/cleanup.h"

#define LINKS_MAX 40

static size_t bucket_of(const struct merge *m, const struct node *parent, const char *name, size_t len)
{
	/* The parent's address is a seed that an archive cannot know. */
	uint64_t h = (uint64_t)(uintptr_t)parent * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)name[i]) * UINT64_C(0x100000001b3);
	return (size_t)(h >> 17 ^ h) & (m->bucket_count - 1);
}

static void grow_table(struct merge *m)
{
	struct node **old = m->buckets;
	size_t count = m->bucket_count;

	m->bucket_count = count * 2;
	m->buckets = xcalloc(m->bucket_count, sizeof(*m->buckets));
	for (size_t i = 0; i < count; i++)
		for (struct node *n = old[i], *next; n; n = next) {
			size_t b = bucket_of(m, n->parent, n->name, strlen(n->name));

			next = n->chain;
			n->chain = m->buckets[b];
			m->buckets[b] = n;
		}
	free(old);
}

struct node *node_child(const struct merge *m, const struct node *parent, const char *name, size_t len)
{
	for (struct node *n = m->buckets[bucket_of(m, parent, name, len)]; n; n = n->chain)
		if (n->parent == parent && strncmp(n->name, name, len) == 0 && n->name[len] == 0)
			return n;
	return NULL;
}

struct node *node_add(struct merge *m, struct node *parent, const char *name, size_t len)
{
	struct node *n = xcalloc(1, sizeof(*n) + len + 1);
	size_t b;

	if (m->node_count++ >= m->bucket_count)
		grow_table(m);
	memcpy(n->name, name, len);
	n->parent = parent;
	b = bucket_of(m, parent, name, len);
	n->chain = m->buckets[b];
	m->buckets[b] = n;
	if (parent) {
		n->next = parent->child;
		if (n->next)
			n->next->prev = n;
		parent->child = n;
	}
	return n;
}

void node_set_entry(struct node *n, struct tree_entry *e)
{
	struct tree_entry *old = n->entry;

	if (e)
		e->nlink++;
	n->entry = e;
	if (old && --old->nlink == 0)
		tree_entry_free(old);
}

static void unlink_node(struct merge *m, struct node *n)
{
	struct node **at = &m->buckets[bucket_of(m, n->parent, n->name, strlen(n->name))];

	while (*at != n)
		at = &(*at)->chain;
	*at = n->chain;
	m->node_count--;
	if (n->next)
		n->next->prev = n->prev;
	if (n->prev)
		n->prev->next = n->next;
	else if (n->parent)
		n->parent->child = n->next;
}

void node_remove(struct merge *m, struct node *n)
{
	while (n->child)
		node_remove(m, n->child);
	unlink_node(m, n);
	node_set_entry(n, NULL);
	free(n);
}

struct node *node_resolve(const struct merge *m, struct node *at, const char *path, bool follow_last)
{
	_cleanup_free_ char *rest = xstrdup(path);
	const char *p = rest;
	unsigned links = 0;

	if (*p == '/')
		at = m->root;
	for (;;) {
		struct node *n;
		size_t len;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (len == 0)
			return at;
		if (!S_ISDIR(at->entry->mode))
			return NULL;
		if (len == 2 && memcmp(p, "..", 2) == 0)
			n = at->parent ? at->parent : at;
		else if (len == 1 && *p == '.')
			n = at;
		else
			n = node_child(m, at, p, len);
		if (!n)
			return NULL;
		p += len;
		if (S_ISLNK(n->entry->mode) && (follow_last || p[strspn(p, "/")])) {
			char *next;

			if (++links > LINKS_MAX)
				return NULL;
			next = xasprintf("%s/%s", n->entry->target, p);
			free(rest);
			p = rest = next;
			if (*p == '/')
				at = m->root;
			continue;
		}
		at = n;
	}
}

struct merge *merge_new(void)
{
	struct merge *m = xcalloc(1, sizeof(*m));

	m->bucket_count = 4096;
	m->buckets = xcalloc(m->bucket_count, sizeof(*m->buckets));
	m->tree = tree_new();
	m->root = node_add(m, NULL, "", 0);
	m->root->implicit = true;
	node_set_entry(m->root, entry_new("", S_IFDIR | 0755));
	free(steal_pointer(&m->root->entry->path)); /* an entry gets it when it is put out */
	return m;
}

void merge_free(struct merge *m)
{
	if (!m)
		return;
	node_remove(m, m->root);
	free(m->buckets);
	tree_free(m->tree);
	free(m);
}

void merge_freep(struct merge **m)
{
	merge_free(*m);
}

const struct tree_entry *merge_find(const struct merge *m, const char *path)
{
	const struct node *n = node_resolve(m, m->root, path, true);

	return n ? n->entry : NULL;
}

bool merge_has(const struct merge *m, const char *path)
{
	return node_resolve(m, m->root, path, false) != NULL;
}

static void add_path(const struct node *n, struct buf *out)
{
	if (!n->parent)
		return;
	add_path(n->parent, out);
	buf_printf(out, "%s%s", out->len ? "/" : "", n->name);
}

char *merge_real_path(const struct merge *m, const char *path)
{
	const struct node *n = node_resolve(m, m->root, path, true);
	_cleanup_buf_ struct buf b = {0};

	if (!n)
		return NULL;
	add_path(n, &b);
	return buf_steal(&b);
}

static int compare_nodes(const void *a, const void *b)
{
	return strcmp((*(struct node *const *)a)->name, (*(struct node *const *)b)->name);
}

/* The children by name bytes; to be freed. */
static struct node **sorted_children(const struct node *n, size_t *ret_count)
{
	struct node **list = NULL;
	size_t count = 0, cap = 0;

	for (struct node *c = n->child; c; c = c->next) {
		array_grow(list, count, cap);
		list[count++] = c;
	}
	if (count > 1)
		qsort(list, count, sizeof(struct node *), compare_nodes);
	*ret_count = count;
	return list;
}

/* Appends its path to @out. */
static bool find_file(const struct node *n, struct buf *out)
{
	_cleanup_free_ struct node **list = NULL;
	size_t count = 0, len = out->len;

	list = sorted_children(n, &count);
	for (size_t i = 0; i < count; i++) {
		mode_t mode = list[i]->entry->mode;

		buf_printf(out, "%s%s", len ? "/" : "", list[i]->name);
		if (S_ISDIR(mode) ? find_file(list[i], out) : !S_ISLNK(mode))
			return true;
		out->len = len;
	}
	return false;
}

char *merge_first_file(const struct merge *m, const char *path)
{
	const struct node *n = node_resolve(m, m->root, path, true);
	_cleanup_buf_ struct buf b = {0};

	return n && S_ISDIR(n->entry->mode) && find_file(n, &b) ? buf_steal(&b) : NULL;
}

void merge_list(const struct merge *m, const char *path, struct strlist *ret)
{
	const struct node *n = node_resolve(m, m->root, path, true);
	_cleanup_free_ struct node **list = NULL;
	size_t count = 0;

	if (n)
		list = sorted_children(n, &count);
	for (size_t i = 0; i < count; i++)
		strlist_add(ret, list[i]->name);
}

int merge_read(const struct merge *m, const char *path, size_t limit, void **ret, size_t *ret_len,
	       struct error *err)
{
	const struct tree_entry *e = merge_find(m, path);
	struct tree_entry named;
	int r;

	if (!e)
		return error_set(err, -ENOENT, "/%s: is not in the image", path);
	/* Messages want the path, which entries get only in the end. */
	named = *e;
	named.path = xstrdup(path);
	r = tree_read_all(m->tree, &named, limit, ret, ret_len, err);
	free(named.path);
	return r;
}

void merge_remove(struct merge *m, const char *path)
{
	struct node *n = node_resolve(m, m->root, path, false);

	if (n && n != m->root)
		node_remove(m, n);
}

/* A further name of a file that has been put out. */
static struct tree_entry *alias_of(struct tree_entry *first)
{
	struct tree_entry *e = xcalloc(1, sizeof(*e));

	e->mode = first->mode;
	e->uid = first->uid;
	e->gid = first->gid;
	e->mtime = first->mtime;
	e->rdev = first->rdev;
	e->nlink = first->nlink;
	e->size = first->size;
	e->layer = first->layer;
	e->target = first->target ? xstrdup(first->target) : NULL;
	e->hardlink = first;
	return e;
}

/* In the order of the tree: a directory, then what it holds. The nodes give their entries away. */
static void put_out(struct merge *m, struct node *n, const char *path, int64_t epoch)
{
	struct tree *t = m->tree;
	_cleanup_free_ struct node **list = NULL;
	struct tree_entry *e = steal_pointer(&n->entry);
	size_t count;

	if (e->path) {
		e = alias_of(e);
	} else {
		if (e->mtime > epoch || n->implicit)
			e->mtime = epoch;
		if (S_ISREG(e->mode))
			t->bytes += e->size;
	}
	e->path = xstrdup(path);
	array_grow(t->entries, t->len, t->cap);
	t->entries[t->len++] = e;
	list = sorted_children(n, &count);
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *below = xasprintf("%s%s%s", path, *path ? "/" : "", list[i]->name);

		put_out(m, list[i], below, epoch);
	}
}

struct tree *merge_finish(struct merge *m, int64_t epoch)
{
	put_out(m, m->root, "", epoch);
	return steal_pointer(&m->tree);
}
