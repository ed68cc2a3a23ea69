/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/oci_layer.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "compose/tar.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define CHUNK ((size_t)256 << 10)

/* A blob on its way through the decompressor. */
struct flow {
	const struct oci_image_layer *layer;
	const char *what; /* for messages */
	struct oci_blob blob;
	uint64_t at;
	struct hasher *digest;	/* of the blob */
	struct hasher *diff_id; /* of what comes out */
	struct error error;	/* why reading failed */
	struct progress progress;
	char chunk[CHUNK];
};

/* For cache_get(). */
struct make {
	const struct oci_image *image;
	const struct oci_image_layer *layer;
	const char *what;
};

static void flow_freep(struct flow **f)
{
	if (!*f)
		return;
	oci_blob_close(&(*f)->blob);
	hasher_free((*f)->digest);
	hasher_free((*f)->diff_id);
	free(*f);
}

uint64_t oci_expand_limit(uint64_t size)
{
	if (size > (OCI_EXPAND_MAX - OCI_EXPAND_FREE) / OCI_EXPAND_RATIO)
		return OCI_EXPAND_MAX;
	return OCI_EXPAND_FREE + size * OCI_EXPAND_RATIO;
}

/* The next bytes of the blob: archive_read_part. */
static ssize_t read_part(void *data, const void **ret)
{
	struct flow *f = data;
	uint64_t left = f->blob.size - f->at;
	size_t n = left < CHUNK ? (size_t)left : CHUNK;

	*ret = f->chunk;
	if (n > 0 && oci_blob_read(&f->blob, f->at, f->chunk, n, &f->error) < 0)
		return -1;
	hasher_add(f->digest, f->chunk, n);
	progress_add(&f->progress, n);
	f->at += n;
	return (ssize_t)n;
}

static int differs(const struct flow *f, const char *what, const struct sha256 *is,
		   const struct sha256 *should_be, struct error *err)
{
	char a[SHA256_HEX_SIZE], b[SHA256_HEX_SIZE];

	hex_encode(is->b, sizeof(is->b), a);
	hex_encode(should_be->b, sizeof(should_be->b), b);
	return error_refuse(err, "%s: %s: its SHA-256 is %s, not %s", f->what, what, a, b);
}

/* The blob to its end, also when what was in it ended before. */
static int check_blob(struct flow *f, struct error *err)
{
	struct sha256 digest;
	const void *part;
	ssize_t n;

	while ((n = read_part(f, &part)) > 0)
		;
	if (n < 0) {
		*err = f->error;
		return err->code;
	}
	hasher_final(f->digest, &digest);
	if (f->layer->has_digest && memcmp(&digest, &f->layer->digest, sizeof(digest)) != 0)
		return differs(f, "the blob is damaged", &digest, &f->layer->digest, err);
	return 0;
}

static int check_diff_id(struct flow *f, struct error *err)
{
	struct sha256 digest;

	hasher_final(f->diff_id, &digest);
	if (memcmp(&digest, &f->layer->diff_id, sizeof(digest)) == 0)
		return 0;
	return differs(f, "what it unpacks to is not what the configuration lists in diff_ids", &digest,
		       &f->layer->diff_id, err);
}

static int unpack(struct flow *f, int fd, struct error *err)
{
	uint64_t limit = oci_expand_limit(f->blob.size);
	struct error unpacking = ERROR_INIT;
	int r, blob;

	r = archive_unpack(read_part, f, f->what, limit, f->diff_id, fd, &unpacking);
	if (r == -EFBIG)
		return error_set(err, r,
				 "%s: its %" PRIu64 " bytes expand to more than %" PRIu64
				 ", so it is taken for a decompression bomb",
				 f->what, f->blob.size, limit);
	if (f->error.code < 0) {
		*err = f->error;
		return err->code;
	}
	/* That the blob is not the one that was meant says more than where it could not be unpacked. */
	blob = r == 0 || r == -EINVAL ? check_blob(f, err) : 0;
	if (blob < 0)
		return blob;
	if (r < 0) {
		*err = unpacking;
		return r;
	}
	return check_diff_id(f, err);
}

/*
 * What comes out is listed at once, so that the cache never keeps what no build can use. Absolute names are those of the image's root, as every
 * runtime takes them: some builders of images write nothing else.
 */
static int make_layer(int fd, struct buf *note, void *data, struct error *err)
{
	__attribute__((cleanup(flow_freep))) struct flow *f = xcalloc(1, sizeof(*f));
	_cleanup_layer_ struct layer look = LAYER_INIT;
	const struct make *m = data;
	int r;

	(void)note;
	f->layer = m->layer;
	f->what = m->what;
	f->blob = OCI_BLOB_INIT;
	f->digest = hasher_new();
	f->diff_id = hasher_new();
	f->error = ERROR_INIT;
	r = oci_blob_open(&m->image->store, m->layer->member, &f->blob, err);
	if (r < 0)
		return r;
	if (m->layer->has_digest && f->blob.size != m->layer->size)
		return error_refuse(err, "%s: has %" PRIu64 " bytes, its manifest says %" PRIu64, m->what,
				    f->blob.size, m->layer->size);
	progress_start(&f->progress, "unpacking a layer", "B", f->blob.size);
	r = unpack(f, fd, err);
	look.proven = look.rooted = true;
	if (r == 0)
		r = tar_index(fd, m->what, &look, err);
	if (r == 0)
		progress_end(&f->progress, NULL);
	return r;
}

int oci_layer_get(const struct oci_image *image, size_t number, const struct cache *cache, struct layer *ret,
		  struct error *err)
{
	const struct oci_image_layer *l = &image->layers[number];
	_cleanup_free_ char *what =
		xasprintf("%s: layer %zu of %zu", image->store.name, number + 1, image->layer_count);
	struct make m = {.image = image, .layer = l, .what = what};
	_cleanup_cached_ struct cached c = CACHED_INIT;
	_cleanup_buf_ struct buf key = {0};
	char hex[SHA256_HEX_SIZE];
	int r;

	cache_key_add(&key, "format", CACHE_FORMAT);
	cache_key_add(&key, "kind", "oci-layer");
	hex_encode(l->digest.b, sizeof(l->digest.b), hex);
	cache_key_add(&key, "digest", l->has_digest ? hex : NULL);
	hex_encode(l->diff_id.b, sizeof(l->diff_id.b), hex);
	cache_key_add(&key, "diff-id", hex);
	r = cache_get(cache, &key, what, false, make_layer, &m, &c, err);
	if (r < 0)
		return r;
	ret->name = steal_pointer(&what);
	ret->fd = steal_fd(&c.fd);
	ret->proven = ret->rooted = true;
	return tar_index(ret->fd, ret->name, ret, err);
}
