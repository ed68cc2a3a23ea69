/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer: what one source adds to the tree, in the order in which the source gives it. Nothing is
 * unpacked: the entries know where in the (uncompressed) tar, or below which directory, their bytes lie.
 */
#ifndef MKAPPLIANCE_COMPOSE_LAYER_H
#define MKAPPLIANCE_COMPOSE_LAYER_H

#include "compose/tree.h"
#include "lib/error.h"
#include "lib/hash.h"
#include "lib/mem.h"

#define LAYER_PATH_MAX 4095u /* of a path, and of a link's target */
#define LAYER_NAME_MAX 255u

struct layer_entry {
	struct tree_entry *entry; /* owned; source, layer and nlink are set by the merge */
	char *link; /* hard link: path of the file that has this name too; only entry->path counts then */
};

struct layer {
	char *name;  /* for messages */
	int fd;	     /* of the tar or the directory; -1: every content is in memory */
	bool proven; /* the tar's digest was checked: it need not end in a mark to be known as whole */
	bool rooted; /* names of the tar may begin with a '/', which means the root of the tree and not that of the host */
	struct tree_stamp stamp; /* for the source that the merge makes of @fd */
	struct layer_entry *entries;
	size_t len;
	size_t cap;
};

#define LAYER_INIT ((struct layer){.fd = -1})

void layer_free(struct layer *l);
#define _cleanup_layer_ __attribute__((cleanup(layer_free)))

/* Takes ownership of both; @link may be NULL. */
void layer_add(struct layer *l, struct tree_entry *e, char *link);

/*
 * A directory, or a regular file with content in memory (copied), owned by root, mtime 0. To be added or
 * freed by the caller.
 */
struct tree_entry *entry_new(const char *path, mode_t mode);
struct tree_entry *entry_new_file(const char *path, mode_t mode, const void *data, size_t len);

/*
 * Takes ownership of @name and @value; an attribute of that name is replaced. The list stays sorted by
 * name.
 */
void entry_set_xattr(struct tree_entry *e, char *name, void *value, size_t len);

/*
 * Brings a member's name into the form of a tree: no ".", no empty part, no slash at either end; "" is the
 * root. What would have to be changed in meaning is refused: NULL, or what is wrong with it ("is
 * absolute").
 */
const char *layer_clean_path(const char *name, size_t len, char **ret);

/* What a file is, by its first bytes. */
enum archive_kind {
	ARCHIVE_NOT,	    /* none of these */
	ARCHIVE_TAR,	    /* can be indexed where it lies */
	ARCHIVE_COMPRESSED, /* gzip, zstd, xz, bzip2: of a tar, one hopes */
	ARCHIVE_DEB,
};

enum archive_kind archive_kind_of(const void *head, size_t len);

/* Writes what the compressed file @fd (from its start) holds to @out. */
int archive_decompress(int fd, const char *name, int out, struct error *err);

/* Hands out the next bytes of a stream, valid until the next call: how many, 0 at the end, -1 when reading failed. */
typedef ssize_t archive_read_part(void *data, const void **ret);

/*
 * Writes what a stream holds, which may be compressed or plain, to @out and adds it to @hasher. -EFBIG when that is more than @limit
 * bytes.
 */
int archive_unpack(archive_read_part *read, void *data, const char *name, uint64_t limit,
		   struct hasher *hasher, int out, struct error *err);

/* What compressed bytes in memory hold, at most @limit bytes; appends to @ret. */
int archive_decompress_memory(const void *data, size_t len, const char *name, size_t limit, struct buf *ret,
			      struct error *err);

/*
 * From a .deb (deb(5)): writes the uncompressed data.tar to @data and the uncompressed control.tar to
 * @control (either may be -1).
 */
int archive_split_deb(int fd, const char *name, int data, int control, struct error *err);

/*
 * Writes a tar (pax) of @l to @fd, in the order of the list, with owners, attributes, links, devices and holes;
 * @l's content is read through its fd. The root directory is left out.
 */
int archive_write_tar(const struct layer *l, int fd, const char *name, struct error *err);

#endif
