/* SPDX-License-Identifier: Apache-2.0 */
/* Between merge.c and merge_layer.c: the names of a tree that is being merged. */
#ifndef MKAPPLIANCE_COMPOSE_MERGE_NODE_H
#define MKAPPLIANCE_COMPOSE_MERGE_NODE_H

#include "compose/merge.h"

/*
 * One name. Several may share one entry, whose nlink counts them; entries have no path until they are put
 * out.
 */
struct node {
	struct node *parent; /* NULL: the root */
	struct node *child;  /* the first, in no order */
	struct node *next;
	struct node *prev;
	struct node *chain; /* in its bucket */
	struct tree_entry *entry;
	unsigned layer; /* that put this name here */
	unsigned pass;	/* of struct merge, likewise; several passes may have the number of one layer */
	bool implicit;	/* a directory that no layer has described yet */
	char name[];
};

struct merge {
	struct node **buckets; /* by parent and name; a power of two */
	size_t bucket_count;
	size_t node_count;
	struct node *root;
	unsigned pass;	   /* calls of merge_layer() so far */
	struct tree *tree; /* has the sources from the start, the entries in the end */
};

/* NULL when @parent has no such child. */
struct node *node_child(const struct merge *m, const struct node *parent, const char *name, size_t len);

/* A new name, without an entry; there must be none yet. */
struct node *node_add(struct merge *m, struct node *parent, const char *name, size_t len);

/* Lets go of the old entry, which is freed with its last name, and counts the new one. */
void node_set_entry(struct node *n, struct tree_entry *e);

/* With all below. */
void node_remove(struct merge *m, struct node *n);

/*
 * What @path is, seen from the directory @at; ".." stops at the root. NULL: nothing, or more than 40 links.
 */
struct node *node_resolve(const struct merge *m, struct node *at, const char *path, bool follow_last);

#endif
