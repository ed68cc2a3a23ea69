/* SPDX-License-Identifier: Apache-2.0 */
/* The merged tree: order, look-up and release. Reading is in tree_read.c. */
#include "compose/tree.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/mem.h"

#define LINKS_MAX 40

struct tree *tree_new(void)
{
	return xcalloc(1, sizeof(struct tree));
}

void tree_entry_free(struct tree_entry *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->xattr_count; i++) {
		free(e->xattrs[i].name);
		free(e->xattrs[i].value);
	}
	free(e->xattrs);
	free(e->path);
	free(e->target);
	free(e->host);
	free(e->memory);
	free(e->runs);
	free(e);
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->len; i++)
		tree_entry_free(t->entries[i]);
	for (size_t i = 0; i < t->source_count; i++) {
		cleanup_closep(&t->sources[i].fd);
		free(t->sources[i].name);
	}
	free(t->entries);
	free(t->sources);
	free(t);
}

void tree_freep(struct tree **t)
{
	tree_free(*t);
}

/* The end of a path sorts lowest, '/' next, then every byte by its value. */
static unsigned path_rank(char c)
{
	if (c == 0)
		return 0;
	return c == '/' ? 1 : (unsigned)(unsigned char)c + 1;
}

int tree_path_compare(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (int)path_rank(*a) - (int)path_rank(*b);
}

struct tree_entry *tree_find(const struct tree *t, const char *path)
{
	size_t low = 0, high = t->len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = tree_path_compare(t->entries[mid]->path, path);

		if (c == 0)
			return t->entries[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* Cuts the last name off a relative path; "" stays "". */
static void path_up(struct buf *path)
{
	char *slash = path->len ? memrchr(path->ptr, '/', path->len) : NULL;

	path->len = slash ? (size_t)(slash - path->ptr) : 0;
	if (path->ptr)
		path->ptr[path->len] = 0;
}

static void path_down(struct buf *path, const char *name, size_t len)
{
	if (path->len)
		buf_add(path, "/", 1);
	buf_add(path, name, len);
}

struct tree_entry *tree_resolve(const struct tree *t, const char *path)
{
	_cleanup_free_ char *rest = xstrdup(path);
	_cleanup_buf_ struct buf at = {0};
	struct tree_entry *e = tree_find(t, "");
	const char *p = rest;
	unsigned links = 0;

	buf_add(&at, "", 0);
	for (;;) {
		size_t n;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n == 0)
			return tree_find(t, at.ptr);
		if (e && !S_ISDIR(e->mode))
			return NULL;
		if (n == 2 && memcmp(p, "..", 2) == 0)
			path_up(&at);
		else if (n != 1 || *p != '.')
			path_down(&at, p, n);
		p += n;
		e = tree_find(t, at.ptr);
		if (!e)
			return NULL;
		if (S_ISLNK(e->mode)) {
			char *next;

			if (++links > LINKS_MAX)
				return NULL;
			next = xasprintf("%s/%s", e->target, p);
			if (next[0] == '/')
				at.len = 0;
			else
				path_up(&at);
			at.ptr[at.len] = 0;
			free(rest);
			p = rest = next;
			e = tree_find(t, at.ptr);
		}
	}
}
