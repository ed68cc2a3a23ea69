/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of layers: overlayfs (kernel Documentation/filesystems/overlayfs.rst), OCI image-spec layer.md
 * (whiteouts), dpkg (links to directories).
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/merge_node.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"

#define WHITEOUT	".wh."
#define WHITEOUT_META	".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

/* Where a member goes. */
struct place {
	struct merge *m;
	const struct layer *layer;
	unsigned number;
	unsigned flags;
	unsigned source;
	char *whiteout;	  /* path of the layer's first whiteout device: the others may be hard links to it */
	const char *path; /* of the member, for messages */
	struct node *parent; /* NULL: the member is the root */
	const char *name;
	bool through_link; /* the way to parent */
};

static int member_error(const struct place *p, struct error *err, const char *what)
{
	return error_set(err, -EINVAL, "%s: member '%s' %s", p->layer->name, p->path, what);
}

/* Into the directory @name below @at: through links of lower layers, and created when nothing is there. */
static int enter(struct place *p, struct node **at, const char *name, size_t len, struct error *err)
{
	struct node *n = node_child(p->m, *at, name, len);

	if (!n) {
		n = node_add(p->m, *at, name, len);
		n->layer = p->number;
		n->implicit = true;
		node_set_entry(n, entry_new("", S_IFDIR | 0755));
		n->entry->layer = p->number;
		free(steal_pointer(&n->entry->path));
	} else if (S_ISLNK(n->entry->mode)) {
		if (n->pass == p->m->pass)
			return member_error(p, err, "goes through a symbolic link of the same archive");
		n = node_resolve(p->m, *at, n->name, true);
		if (!n)
			return member_error(p, err, "goes through a symbolic link that leads nowhere");
		p->through_link = true;
	}
	if (!S_ISDIR(n->entry->mode))
		return member_error(p, err, "lies below something that is not a directory");
	*at = n;
	return 0;
}

/* Each layer may lead deeper through links of those below, without end: what comes out must be a path. */
static int check_length(const struct place *p, const struct node *directory, struct error *err)
{
	size_t len = strlen(p->name);

	for (const struct node *n = directory; p->through_link && n->parent; n = n->parent)
		len += strlen(n->name) + 1;
	if (len <= LAYER_PATH_MAX)
		return 0;
	return error_set(err, -EINVAL,
			 "%s: member '%.200s...' goes through symbolic links to a path of more than %u bytes",
			 p->layer->name, p->path, LAYER_PATH_MAX);
}

/* Finds, and where needed makes, the directory that is to hold the member. */
static int find_place(struct place *p, struct error *err)
{
	struct node *at = p->m->root;
	const char *name = p->path;

	p->parent = NULL;
	p->name = name;
	p->through_link = false;
	if (!*name)
		return 0;
	for (const char *slash; (slash = strchr(name, '/')); name = slash + 1) {
		int r = enter(p, &at, name, (size_t)(slash - name), err);

		if (r < 0)
			return r;
	}
	p->parent = at;
	p->name = name;
	return check_length(p, at, err);
}

/* Removes what lower layers put at @n and below; directories stay that hold something of this one. */
static void prune(struct merge *m, struct node *n, unsigned number)
{
	for (struct node *c = n->child, *next; c; c = next) {
		next = c->next;
		prune(m, c, number);
	}
	if (n->layer < number && !n->child)
		node_remove(m, n);
}

static void make_opaque(struct merge *m, struct node *dir, unsigned number)
{
	for (struct node *c = dir->child, *next; c; c = next) {
		next = c->next;
		prune(m, c, number);
	}
}

static bool is_whiteout_name(const struct place *p)
{
	return !(p->flags & MERGE_NO_WHITEOUTS) && strncmp(p->name, WHITEOUT, strlen(WHITEOUT)) == 0;
}

static bool is_whiteout_device(const struct place *p, const struct tree_entry *e)
{
	return !(p->flags & MERGE_NO_WHITEOUTS) && S_ISCHR(e->mode) && e->rdev == 0;
}

static bool is_whiteout(const struct place *p, const struct tree_entry *e, const char *link)
{
	return is_whiteout_name(p) || is_whiteout_device(p, e) ||
	       (link && p->whiteout && strcmp(link, p->whiteout) == 0);
}

static int apply_whiteout(struct place *p, const struct tree_entry *e, struct error *err)
{
	const char *name = p->name;
	struct node *n;

	if (is_whiteout_device(p, e) && !p->whiteout)
		p->whiteout = xstrdup(p->path);
	if (is_whiteout_name(p)) {
		if (!S_ISREG(e->mode))
			return member_error(p, err, "has the name of a whiteout and is not a file");
		if (strcmp(name, WHITEOUT_OPAQUE) == 0) {
			make_opaque(p->m, p->parent, p->number);
			return 0;
		}
		if (strncmp(name, WHITEOUT_META, strlen(WHITEOUT_META)) == 0)
			return 0; /* aufs' own book-keeping */
		name += strlen(WHITEOUT);
		if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			return member_error(p, err, "is a whiteout of nothing");
	}
	n = node_child(p->m, p->parent, name, strlen(name));
	if (n)
		prune(p->m, n, p->number);
	return 0;
}

/* Takes overlayfs' own attributes away; *@ret_opaque: the directory hides what is below. */
static int take_overlay_xattrs(struct place *p, struct tree_entry *e, bool *ret_opaque, struct error *err)
{
	size_t kept = 0;

	*ret_opaque = false;
	for (size_t i = 0; i < e->xattr_count; i++) {
		struct tree_xattr x = e->xattrs[i];
		const char *key = strncmp(x.name, "trusted.overlay.", 16) == 0 ? x.name + 16
				  : strncmp(x.name, "user.overlay.", 13) == 0  ? x.name + 13
									       : NULL;

		if (!key) {
			e->xattrs[kept++] = x;
			continue;
		}
		if (strcmp(key, "redirect") == 0 || strcmp(key, "metacopy") == 0) {
			memmove(e->xattrs + kept, e->xattrs + i, (e->xattr_count - i) * sizeof(x));
			e->xattr_count -= i - kept;
			return member_error(
				p, err,
				"was made with overlayfs redirect_dir or metacopy, which cannot be "
				"followed from outside; mount it and copy the result");
		}
		*ret_opaque |= strcmp(key, "opaque") == 0 && x.len == 1 && *(char *)x.value == 'y';
		free(x.name);
		free(x.value);
	}
	e->xattr_count = kept;
	return 0;
}

/* A directory; takes @e. */
static void put_directory(struct place *p, struct tree_entry *e, bool opaque)
{
	struct node *n = p->parent ? node_child(p->m, p->parent, p->name, strlen(p->name)) : p->m->root;
	bool keep;

	if (n && S_ISLNK(n->entry->mode) && (p->flags & MERGE_KEEP_LINKS) && n->layer < p->number) {
		struct node *to = node_resolve(p->m, p->parent, n->name, true);

		if (to && S_ISDIR(to->entry->mode)) {
			tree_entry_free(e);
			return;
		}
	}
	if (n && !S_ISDIR(n->entry->mode)) {
		node_remove(p->m, n);
		n = NULL;
	}
	if (!n)
		n = node_add(p->m, p->parent, p->name, strlen(p->name));
	if (opaque)
		make_opaque(p->m, n, p->number);
	keep = n->entry && !n->implicit && (p->flags & MERGE_KEEP_DIRECTORIES) && n->layer < p->number;
	if (keep || (n == p->m->root && p->number > 0 && !(p->flags & MERGE_SETS_ROOT))) {
		tree_entry_free(e);
		return;
	}
	n->layer = p->number;
	n->implicit = false;
	node_set_entry(n, e);
}

/* Anything else; takes a reference of @e. */
static void put_other(struct place *p, struct tree_entry *e)
{
	struct node *n = node_child(p->m, p->parent, p->name, strlen(p->name));

	if (n && n->entry == e) {
		n->layer = p->number; /* a link to itself */
		n->pass = p->m->pass;
		return;
	}
	if (n && S_ISDIR(n->entry->mode)) {
		node_remove(p->m, n);
		n = NULL;
	}
	if (!n)
		n = node_add(p->m, p->parent, p->name, strlen(p->name));
	n->layer = p->number;
	n->pass = p->m->pass;
	n->implicit = false;
	node_set_entry(n, e);
}

/* Whether @n lies below what stands where the member goes. */
static bool is_below_place(const struct place *p, const struct node *n)
{
	const struct node *there = node_child(p->m, p->parent, p->name, strlen(p->name));

	do
		n = n->parent;
	while (n && n != there);
	return n != NULL;
}

static int put_link(struct place *p, const char *link, struct error *err)
{
	const struct node *to = node_resolve(p->m, p->m->root, link, false);

	if (!to)
		return error_set(err, -EINVAL, "%s: member '%s' is a hard link to '%s', which is not there",
				 p->layer->name, p->path, link);
	if (S_ISDIR(to->entry->mode))
		return error_set(err, -EINVAL, "%s: member '%s' is a hard link to '%s', which is a directory",
				 p->layer->name, p->path, link);
	/* A directory there would take the file with it when the link replaces it. */
	if (is_below_place(p, to))
		return error_set(err, -EINVAL, "%s: member '%s' is a hard link to '%s', which lies below it",
				 p->layer->name, p->path, link);
	put_other(p, to->entry);
	return 0;
}

/* Takes *@entry where it becomes part of the tree. */
static int put(struct place *p, struct tree_entry **entry, const char *link, struct error *err)
{
	bool opaque = false;
	struct tree_entry *e;
	int r;

	r = find_place(p, err);
	if (r < 0)
		return r;
	if (is_whiteout(p, *entry, link))
		return apply_whiteout(p, *entry, err);
	if (link)
		return put_link(p, link, err);
	r = (p->flags & MERGE_NO_WHITEOUTS) ? 0 : take_overlay_xattrs(p, *entry, &opaque, err);
	if (r < 0)
		return r;
	e = steal_pointer(entry);
	free(steal_pointer(&e->path));
	e->layer = p->number;
	e->source = p->source;
	e->nlink = 0;
	if (S_ISDIR(e->mode))
		put_directory(p, e, opaque);
	else
		put_other(p, e);
	return 0;
}

/* The layer's descriptor becomes a source of the tree. */
static unsigned take_source(struct merge *m, struct layer *l)
{
	struct tree *t = m->tree;

	if (l->fd < 0)
		return 0;
	array_grow(t->sources, t->source_count, t->source_cap);
	t->sources[t->source_count] =
		(struct tree_source){.fd = steal_fd(&l->fd), .name = xstrdup(l->name), .stamp = l->stamp};
	return (unsigned)t->source_count++;
}

int merge_layer(struct merge *m, struct layer *l, unsigned number, unsigned flags, struct error *err)
{
	struct place p = {.m = m, .layer = l, .number = number, .flags = flags, .source = take_source(m, l)};
	int r = 0;

	m->pass++;
	for (size_t i = 0; r == 0 && i < l->len; i++) {
		_cleanup_free_ char *path = xstrdup(l->entries[i].entry->path);

		p.path = path;
		r = put(&p, &l->entries[i].entry, l->entries[i].link, err);
		if (r == 0 && i % 4096 == 0)
			r = interrupt_check(err);
	}
	free(p.whiteout);
	layer_free(l);
	return r;
}
