/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The merged tree: every file of the image, sorted by path bytes, each of which knows where its bytes lie.
 * Made by compose, read by image; from here on everything is a pure function of it.
 */
#ifndef MKAPPLIANCE_COMPOSE_TREE_H
#define MKAPPLIANCE_COMPOSE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/error.h"

struct tree_xattr {
	char *name; /* with its name space: "security.capability" */
	void *value;
	size_t len;
};

/* A run of bytes of a sparse file that is stored; what lies between runs reads as zero. */
struct tree_run {
	uint64_t offset; /* in the file */
	uint64_t length;
	uint64_t stored; /* where its bytes lie, from entry.stored */
};

/* Where an entry's bytes come from. */
enum tree_origin {
	ORIGIN_NONE,   /* no bytes: empty, or not a regular file */
	ORIGIN_FD,     /* tree->sources[source].fd at entry.stored (an uncompressed tar) */
	ORIGIN_PATH,   /* file entry.host below the directory tree->sources[source].fd */
	ORIGIN_MEMORY, /* entry.memory */
};

struct tree_entry {
	char *path;  /* relative, no leading slash, no ".", no ".."; "" is the root itself. Bytes, not text */
	mode_t mode; /* type and permissions */
	uid_t uid;
	gid_t gid;
	int64_t mtime;	/* seconds */
	dev_t rdev;	/* character and block devices */
	char *target;	/* symbolic links */
	uint32_t nlink; /* names of this file in the tree: 1, or more for the first of hard links */
	/*
	 * The entry (first in path order) whose file this one is another name of; NULL. Metadata and size are
	 * then a copy of that one's; bytes and attributes are only there.
	 */
	struct tree_entry *hardlink;
	struct tree_xattr *xattrs; /* sorted by name */
	size_t xattr_count;

	uint64_t size; /* regular files */
	enum tree_origin origin;
	unsigned source;       /* index in tree->sources */
	unsigned layer;	       /* 0 is the lowest; placing order in the image is (layer, path) */
	uint64_t stored;       /* ORIGIN_FD: byte offset */
	char *host;	       /* ORIGIN_PATH; owned */
	void *memory;	       /* ORIGIN_MEMORY; owned */
	struct tree_run *runs; /* NULL: one run of the whole size */
	size_t run_count;
	int64_t host_mtime_ns; /* ORIGIN_PATH: as seen when listed; a change since is an error on reading */
};

/* What tells a file that was written to since. All zero: none was taken, and anything is fine. */
struct tree_stamp {
	uint64_t size;
	int64_t mtime_ns;
};

struct tree_source {
	int fd;			 /* of the tar or the directory; owned */
	char *name;		 /* for messages */
	struct tree_stamp stamp; /* of a tar that is not ours, from before its digest was taken */
};

struct tree {
	/*
	 * Sorted by the bytes of their paths, with '/' below every other byte: what a directory holds comes
	 * directly behind it.
	 */
	struct tree_entry **entries;
	size_t len;
	size_t cap;
	struct tree_source *sources;
	size_t source_count;
	size_t source_cap;
	uint64_t bytes; /* sum of sizes, hard links once */
};

struct tree *tree_new(void);
void tree_free(struct tree *t);
void tree_freep(struct tree **t);
void tree_entry_free(struct tree_entry *e); /* accepts NULL */
#define _cleanup_tree_ __attribute__((cleanup(tree_freep)))

/* The order of entries. */
int tree_path_compare(const char *a, const char *b);

/* The entry of exactly that path (relative, no leading slash), NULL when there is none. Follows nothing. */
struct tree_entry *tree_find(const struct tree *t, const char *path);

/*
 * The same through symbolic links inside the tree (usr-merge: "lib/modules" finds "usr/lib/modules"); at
 * most 40. @path may start with '/'.
 */
struct tree_entry *tree_resolve(const struct tree *t, const char *path);

/*
 * Reads @len bytes at @offset of the content of regular file @e (hard links are followed). Bytes in a hole
 * are zero. Thread safe. The range must lie within e->size.
 */
int tree_read(const struct tree *t, const struct tree_entry *e, uint64_t offset, void *buf, size_t len,
	      struct error *err);

int tree_stamp_take(int fd, const char *name, struct tree_stamp *ret, struct error *err);
/* -ESTALE when the file has been written to since. */
int tree_stamp_check(int fd, const char *name, const struct tree_stamp *stamp, struct error *err);

/*
 * To be called when all has been read: -ESTALE when a tar was written to meanwhile. (A file below a directory
 * is looked at on each tree_read().)
 */
int tree_check_sources(const struct tree *t, struct error *err);

/* The whole content of a file of at most @limit bytes; to be freed. A 0 byte follows it. */
int tree_read_all(const struct tree *t, const struct tree_entry *e, size_t limit, void **ret, size_t *ret_len,
		  struct error *err);

#endif
