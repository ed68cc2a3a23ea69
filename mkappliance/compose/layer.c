/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/layer.h"

#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

void layer_free(struct layer *l)
{
	for (size_t i = 0; i < l->len; i++) {
		tree_entry_free(l->entries[i].entry);
		free(l->entries[i].link);
	}
	free(l->entries);
	free(l->name);
	cleanup_closep(&l->fd);
	*l = LAYER_INIT;
}

void layer_add(struct layer *l, struct tree_entry *e, char *link)
{
	array_grow(l->entries, l->len, l->cap);
	l->entries[l->len++] = (struct layer_entry){.entry = e, .link = link};
}

struct tree_entry *entry_new(const char *path, mode_t mode)
{
	struct tree_entry *e = xcalloc(1, sizeof(*e));

	e->path = xstrdup(path);
	e->mode = mode;
	return e;
}

struct tree_entry *entry_new_file(const char *path, mode_t mode, const void *data, size_t len)
{
	struct tree_entry *e = entry_new(path, S_IFREG | mode);

	e->origin = ORIGIN_MEMORY;
	e->memory = xmemdup(data, len);
	e->size = len;
	return e;
}

void entry_set_xattr(struct tree_entry *e, char *name, void *value, size_t len)
{
	size_t i = 0;

	while (i < e->xattr_count && strcmp(e->xattrs[i].name, name) < 0)
		i++;
	if (i < e->xattr_count && strcmp(e->xattrs[i].name, name) == 0) {
		free(e->xattrs[i].name);
		free(e->xattrs[i].value);
	} else {
		e->xattrs = xrealloc_array(e->xattrs, e->xattr_count + 1, sizeof(*e->xattrs));
		memmove(e->xattrs + i + 1, e->xattrs + i, (e->xattr_count - i) * sizeof(*e->xattrs));
		e->xattr_count++;
	}
	e->xattrs[i] = (struct tree_xattr){.name = name, .value = value, .len = len};
}

const char *layer_clean_path(const char *name, size_t len, char **ret)
{
	_cleanup_free_ char *path = NULL;
	size_t used = 0;

	if (memchr(name, 0, len))
		return "has a name with a NUL byte in it";
	/* "/" alone is the root, as some builders of container images write it. */
	if (len > 1 && name[0] == '/')
		return "has an absolute path";
	if (len > LAYER_PATH_MAX)
		return "has a path of more than 4095 bytes";
	path = xmalloc(len + 1);
	for (size_t i = 0; i < len;) {
		const char *slash = memchr(name + i, '/', len - i);
		size_t n = slash ? (size_t)(slash - (name + i)) : len - i;

		if (n > LAYER_NAME_MAX)
			return "has a name of more than 255 bytes";
		if (n == 2 && memcmp(name + i, "..", 2) == 0)
			return "has '..' in its path";
		if (n > 0 && (n != 1 || name[i] != '.')) {
			if (used)
				path[used++] = '/';
			memcpy(path + used, name + i, n);
			used += n;
		}
		i += n + 1;
	}
	path[used] = 0;
	*ret = steal_pointer(&path);
	return NULL;
}
