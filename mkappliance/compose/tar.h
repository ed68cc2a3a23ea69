/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An index of an uncompressed tar: one pass over its headers, no content is read. Strict: POSIX.1-2017
 * ustar and pax, the GNU forms (long names, base-256 numbers, sparse files of all four kinds) and the
 * extended attributes of star and libarchive; whatever would have to be guessed is an error that names
 * archive and member. Bounded in entries and in memory.
 */
#ifndef MKAPPLIANCE_COMPOSE_TAR_H
#define MKAPPLIANCE_COMPOSE_TAR_H

#include "compose/layer.h"

#define TAR_BLOCK	512u
#define TAR_ENTRIES_MAX 4000000u
#define TAR_MEMORY_MAX	((uint64_t)1 << 30) /* names, attributes and sparse maps of one archive */

/*
 * Appends the members of the tar @fd, which stays the caller's, to @ret->entries. One without an end mark is truncated, unless
 * @ret->proven says that it is whole; an absolute name is refused, unless @ret->rooted says what it means.
 */
int tar_index(int fd, const char *name, struct layer *ret, struct error *err);

/* Whether the 512 bytes @block are the header of a tar. */
bool tar_begins(const void *block);

/* ---- between tar.c, tar_pax.c and tar_sparse.c ---- */

/* Stored runs of a sparse file; .stored counts from where the file's bytes begin in the archive. */
struct tar_map {
	struct tree_run *runs;
	size_t len;
	size_t cap;
};

/* How a file is sparse. */
enum tar_sparse {
	SPARSE_NOT,
	SPARSE_MAP,   /* the map came in headers */
	SPARSE_FRONT, /* it stands in front of the content (GNU 1.0) */
};

/* What extension headers say about the next member. */
struct tar_ext {
	char *path; /* NULL: what its own header says; len bytes, may hold NUL */
	size_t path_len;
	char *real_path; /* GNU.sparse.name: goes before path, which is for those that do not know it */
	size_t real_path_len;
	char *link;
	size_t link_len;
	bool has_size, has_uid, has_gid, has_mtime, has_rdev_major, has_rdev_minor, has_real_size;
	uint64_t size, uid, gid, rdev_major, rdev_minor, real_size;
	int64_t mtime;
	struct tree_entry attributes; /* only xattrs are used */
	enum tar_sparse sparse;
	bool run_open; /* GNU 0.0: an offset came, its length is next */
	struct tar_map map;
	bool acl; /* had access lists as text, which are not carried over */
};

void tar_ext_free(struct tar_ext *x);
#define _cleanup_tar_ext_ __attribute__((cleanup(tar_ext_free)))

/* Takes the records of one pax header. An error's text is to follow the archive's name. */
int tar_pax_parse(const char *data, size_t len, struct tar_ext *x, struct error *err);

/*
 * An octal or base-256 number of a header's field; false when it is none, is negative or needs more than 63
 * bits.
 */
bool tar_number(const char *field, size_t len, uint64_t *ret);
bool tar_number_signed(const char *field, size_t len, int64_t *ret);

/* A decimal number of exactly @len digits (1 to 19), not over INT64_MAX. */
bool tar_decimal(const char *text, size_t len, uint64_t *ret);

/* GNU's old sparse header @block and the blocks that continue it at *@pos, which is moved behind them. */
int tar_sparse_old(int fd, const char *name, const char *block, uint64_t *pos, struct tar_map *map,
		   struct error *err);

/*
 * GNU sparse 1.0: the map at @pos in front of the content; *@ret_len is how many bytes it takes, padding
 * included.
 */
int tar_sparse_front(int fd, const char *name, uint64_t pos, uint64_t len, struct tar_map *map,
		     uint64_t *ret_len, struct error *err);

/* Parses GNU sparse 0.1: "offset,length,offset,length..." */
bool tar_sparse_list(const char *text, size_t len, struct tar_map *map);

bool tar_map_add(struct tar_map *map, uint64_t offset, uint64_t length);

/*
 * Runs ascend, lie within @size and take exactly @stored bytes; drops empty ones and numbers .stored. NULL,
 * or what is wrong.
 */
const char *tar_map_check(struct tar_map *map, uint64_t size, uint64_t stored);

#endif
