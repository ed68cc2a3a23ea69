/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers to one tree, as overlayfs does it: what comes later replaces, directories are merged, whiteouts
 * remove what is below. Nothing can get out of the tree: paths have no "..", links are followed inside it
 * only, and a path through a link of its own archive is refused.
 */
#ifndef MKAPPLIANCE_COMPOSE_MERGE_H
#define MKAPPLIANCE_COMPOSE_MERGE_H

#include "compose/layer.h"
#include "compose/tree.h"

struct merge;

enum merge_flags {
	/*
	 * A directory where a link to a directory stands goes through the link (usr-merge: lib/ over lib ->
	 * usr/lib).
	 */
	MERGE_KEEP_LINKS = 1,
	/* A directory that is there keeps its owner and mode, as dpkg has it. */
	MERGE_KEEP_DIRECTORIES = 2,
	/* Names that begin with ".wh." and character devices 0/0 are what they are. */
	MERGE_NO_WHITEOUTS = 4,
	/* It may set owner and mode of the root directory, as layer 0 does. */
	MERGE_SETS_ROOT = 8,
};

/* An empty tree: a root directory, mode 0755. */
struct merge *merge_new(void);
void merge_free(struct merge *m);
void merge_freep(struct merge **m);
#define _cleanup_merge_ __attribute__((cleanup(merge_freep)))

/*
 * Adds @l as layer @number, which is not lower than any before; takes its entries and its descriptor, also
 * on failure. Only layer 0, unless @flags says so, sets owner and mode of the root directory. An error names layer and member; the
 * merge is then good for nothing but merge_free().
 */
int merge_layer(struct merge *m, struct layer *l, unsigned number, unsigned flags, struct error *err);

/* What lies at @path, through links; NULL: nothing. Borrowed; has no path while merging. */
const struct tree_entry *merge_find(const struct merge *m, const char *path);

/* Whether there is something of that name, be it a link that leads nowhere. */
bool merge_has(const struct merge *m, const char *path);

/*
 * Where @path really is, through links in all its parts: "lib/modules" gives "usr/lib/modules". To be
 * freed; NULL: nothing there.
 */
char *merge_real_path(const struct merge *m, const char *path);

/*
 * The first of what lies in the directory at @path, at any depth, and is neither a directory nor a link: what a file system in memory over it would
 * hide, as the init makes it (firstboot/writable.h). "data/default.db", to be freed; NULL: nothing.
 */
char *merge_first_file(const struct merge *m, const char *path);

/* Names in the directory at @path, sorted; empty when there is none. */
void merge_list(const struct merge *m, const char *path, struct strlist *ret);

/* As tree_read_all(); -ENOENT when there is nothing. */
int merge_read(const struct merge *m, const char *path, size_t limit, void **ret, size_t *ret_len,
	       struct error *err);

/*
 * Removes what lies at @path, with everything below; its parents are found through links, it is not
 * followed itself.
 */
void merge_remove(struct merge *m, const char *path);

/* Hands out the tree: sorted, links counted, times not after @epoch. The merge is empty then. */
struct tree *merge_finish(struct merge *m, int64_t epoch);

#endif
