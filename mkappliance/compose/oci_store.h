/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the bytes of container images lie: an OCI layout (image-spec, image-layout.md), as a directory or as a tar of one, or
 * what "docker save" writes. Nothing in it is believed: a document or blob is what its digest says, or it is refused.
 */
#ifndef MKAPPLIANCE_COMPOSE_OCI_STORE_H
#define MKAPPLIANCE_COMPOSE_OCI_STORE_H

#include "compose/cache.h"
#include "compose/layer.h"
#include "compose/oci_json.h"

enum oci_store_kind { STORE_NOT, STORE_LAYOUT, STORE_DOCKER };

struct oci_store {
	enum oci_store_kind kind;
	char *name;	   /* for messages */
	int dir;	   /* of a layout; -1: an archive */
	struct tree *tree; /* of an archive */
};

#define OCI_STORE_INIT ((struct oci_store){.dir = -1})

/* @path on the host; an archive may be compressed, and is unpacked to the cache then. Usage error for anything else. */
int oci_store_open(const char *path, const struct cache *cache, struct oci_store *ret, struct error *err);

/*
 * The same of a tar that has been listed: takes @l's entries and descriptor when it is an archive of images. Otherwise ret->kind is
 * STORE_NOT and @l is untouched.
 */
int oci_store_of_layer(struct layer *l, struct oci_store *ret, struct error *err);

/* Whether the listed directory @l is a layout. */
bool oci_is_layout(const struct layer *l);

void oci_store_free(struct oci_store *s);
#define _cleanup_oci_store_ __attribute__((cleanup(oci_store_free)))

/* A file of the store, to be read in parts. */
struct oci_blob {
	const struct oci_store *store;
	const char *name; /* borrowed */
	int fd;		  /* -1: in the archive, @entry */
	const struct tree_entry *entry;
	uint64_t size;
};

#define OCI_BLOB_INIT ((struct oci_blob){.fd = -1})

/* @member is a path in the store, which stays the caller's. -ENOENT when it is not there. */
int oci_blob_open(const struct oci_store *s, const char *member, struct oci_blob *ret, struct error *err);
int oci_blob_read(const struct oci_blob *b, uint64_t offset, void *buf, size_t len, struct error *err);
void oci_blob_close(struct oci_blob *b);
#define _cleanup_oci_blob_ __attribute__((cleanup(oci_blob_close)))

/* "blobs/sha256/HEX"; to be freed. */
char *oci_blob_path(const struct sha256 *digest);

/* A whole document, not checked: index.json, manifest.json. */
int oci_store_read(const struct oci_store *s, const char *member, struct buf *ret, struct error *err);

/* The document that @d describes: size and digest are checked (exit code 3 when they differ). */
int oci_store_document(const struct oci_store *s, const struct oci_descriptor *d, struct buf *ret,
		       struct error *err);

#endif
