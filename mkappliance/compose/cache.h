/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers that were expensive to make, found again by the digest of everything that went into them:
 *
 *   DIR/layers/KEY.tar    the layer, an uncompressed tar
 *   DIR/layers/KEY.json   its size and SHA-256, and when it was written; there only once the tar is whole
 *   DIR/layers/KEY.lock   held (flock) while the layer is looked up or made
 *
 * A file that is as it was written (size, inode, mtime, ctime) is believed, any other is hashed again, and
 * made anew when it differs.
 */
#ifndef MKAPPLIANCE_COMPOSE_CACHE_H
#define MKAPPLIANCE_COMPOSE_CACHE_H

#include "compose/compose.h"

/* Part of every key: raised when the same inputs give another layer. */
#define CACHE_FORMAT "1"

struct cache {
	char *dir; /* absolute */
	bool refresh;
	bool offline;
	const struct installed *locked; /* as in compose_options; borrowed */
	const struct compose_input *locked_inputs;
	size_t locked_input_count;
};

int cache_open(const struct compose_options *options, struct cache *ret, struct error *err);
void cache_close(struct cache *c);
#define _cleanup_cache_ __attribute__((cleanup(cache_close)))

/*
 * Appends "NAME=LENGTH:VALUE\n" to a key's inputs, so that no two lists of inputs look alike; NULL is not
 * "".
 */
void cache_key_add(struct buf *key, const char *name, const char *value);

/* A layer in the cache. */
struct cached {
	int fd;
	char *path;
	struct sha256 digest;
	uint64_t size;
	char *note; /* what its maker wrote down of it, JSON; NULL: nothing */
	bool made;  /* just now */
};

#define CACHED_INIT ((struct cached){.fd = -1})
void cached_free(struct cached *c);
#define _cleanup_cached_ __attribute__((cleanup(cached_free)))

/*
 * Finds the layer of the inputs @key, or makes it: @make writes it to @fd, and to @note one JSON value if it has more to say of
 * it than its bytes do (see installed.h); that is kept with the layer. With c->locked a layer whose note disagrees does not count. @what names it in messages ("base
 * bookworm"), but those of @make are its own. @needs_network: refuse to make it when offline.
 */
int cache_get(const struct cache *c, const struct buf *key, const char *what, bool needs_network,
	      int (*make)(int fd, struct buf *note, void *data, struct error *err), void *data,
	      struct cached *ret, struct error *err);

/* Only looks for the layer of @key that all builds share, of whatever versions it is: -ENOENT when it is not there. */
int cache_find(const struct cache *c, const struct buf *key, const char *what, struct cached *ret,
	       struct error *err);

#endif
