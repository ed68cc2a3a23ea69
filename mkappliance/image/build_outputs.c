/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a build: the image and what stands beside it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "image/build_internal.h"
#include "image/cyclonedx.h"
#include "image/provenance.h"
#include "image/sign_dsse.h"
#include "image/spdx.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"

/* Who vouches for the build; NULL: nobody. */
static const char *provenance_key(const struct build *b)
{
	if (b->o->unsigned_provenance)
		return NULL;
	return b->o->provenance_key ? b->o->provenance_key : b->t->sign.provenance_key;
}

/* Those that are there only when they are asked for. */
static int open_optional(struct build *b, const struct image_result *paths, struct error *err)
{
	int r = 0;

	if (b->o->unsigned_out)
		r = output_open(b->o->unsigned_out, &b->unsigned_out, err);
	if (r == 0 && b->o->root_hash_out)
		r = output_open(b->o->root_hash_out, &b->root_hash_out, err);
	if (r == 0 && paths->cyclonedx_path)
		r = output_open(paths->cyclonedx_path, &b->cyclonedx_out, err);
	if (r == 0 && paths->sha256_path)
		r = output_open(paths->sha256_path, &b->sha256_out, err);
	return r;
}

int build_open_outputs(struct build *b, struct image_result *paths, struct error *err)
{
	const char *dir = b->o->output_dir;
	int r;

	paths->image_path = xasprintf("%s/%s-%s.raw", dir, b->t->appliance.name, b->t->appliance.version);
	paths->manifest_path = manifest_path_for(paths->image_path);
	paths->blocks_path = blocks_path_for(paths->image_path);
	paths->spdx_path = spdx_path_for(paths->image_path);
	paths->provenance_path = provenance_path_for(paths->image_path);
	if (b->o->cyclonedx)
		paths->cyclonedx_path = cyclonedx_path_for(paths->image_path);
	if (b->o->sha256)
		paths->sha256_path = xasprintf("%s.sha256", paths->image_path);

	/* A key that cannot sign is said before a byte is written. */
	r = provenance_key(b) ? dsse_check_key(provenance_key(b), err) : 0;
	if (r == 0)
		r = io_make_dirs(dir, 0777, err);
	if (r < 0)
		return r;
	if ((r = output_open(paths->image_path, &b->image, err)) < 0 ||
	    (r = output_open(paths->manifest_path, &b->manifest_out, err)) < 0 ||
	    (r = output_open(paths->blocks_path, &b->blocks_out, err)) < 0 ||
	    (r = output_open(paths->spdx_path, &b->spdx_out, err)) < 0 ||
	    (r = output_open(paths->provenance_path, &b->provenance_out, err)) < 0 ||
	    (r = open_optional(b, paths, err)) < 0)
		return r;
	if (ftruncate(b->image.fd, (off_t)b->layout.size) < 0)
		return error_errno(err, -errno, "%s: a sparse file of %" PRIu64 " bytes", paths->image_path,
				   b->layout.size);
	block_digests_init(&b->blocks, b->layout.size);
	return 0;
}

/* In the format of sha256sum, beside the image: a pass over the whole file, holes and all. */
static int write_sha256(struct build *b, struct sha256 *ret, struct error *err)
{
	char hex[SHA256_HEX_SIZE];
	_cleanup_free_ char *line = NULL;
	struct progress progress;
	uint64_t size;
	int r;

	progress_start(&progress, "sha256", NULL, 0);
	if (lseek(b->image.fd, 0, SEEK_SET) < 0)
		return error_errno(err, -errno, "%s: going back to its start", b->image.path);
	r = sha256_of_fd(b->image.fd, b->image.path, ret, &size, err);
	if (r < 0)
		return r;
	hex_encode(ret->b, sizeof(ret->b), hex);
	line = xasprintf("%s  %s\n", hex, basename(b->image.path));
	r = io_write_full(b->sha256_out.fd, b->sha256_out.path, line, strlen(line), err);
	if (r < 0)
		return r;
	progress_end(&progress, NULL);
	return 0;
}

/* What stands beside the image, all but its provenance. */
#define COMPANIONS_MAX 4u
struct companions {
	struct provenance_file files[COMPANIONS_MAX];
	size_t count;
};

static int write_companion(struct output *out, const void *data, size_t len, struct companions *c,
			   struct error *err)
{
	struct provenance_file *f = &c->files[c->count++];

	f->name = basename(out->path);
	sha256_of(data, len, &f->digest);
	return io_write_full(out->fd, out->path, data, len, err);
}

static int write_text(struct output *out, char *text, struct companions *c, struct error *err)
{
	int r = write_companion(out, text, strlen(text), c, err);

	free(text);
	return r;
}

/* The statement names the others by their digests, so it is the last. */
static int write_provenance(struct build *b, const struct companions *c, const struct sha256 *image,
			    struct error *err)
{
	_cleanup_free_ char *statement = provenance_statement(b->manifest, image, c->files, c->count);
	_cleanup_free_ char *envelope = NULL;
	const char *key = provenance_key(b), *text = statement;
	int r = key ? dsse_sign(key, PROVENANCE_PAYLOAD_TYPE, statement, &envelope, err) : 0;

	if (r < 0)
		return r;
	if (envelope)
		text = envelope;
	return io_write_full(b->provenance_out.fd, b->provenance_out.path, text, strlen(text), err);
}

int build_write_companions(struct build *b, struct error *err)
{
	_cleanup_buf_ struct buf blocks = {0};
	struct companions c = {0};
	struct sha256 image;
	int r;

	blocks_encode(&b->blocks, b->layout.size, &blocks);
	r = write_text(&b->manifest_out, manifest_text(b->manifest), &c, err);
	if (r == 0)
		r = write_companion(&b->blocks_out, blocks.ptr, blocks.len, &c, err);
	if (r == 0)
		r = write_text(&b->spdx_out, spdx_text(b->manifest), &c, err);
	if (r == 0 && b->o->cyclonedx)
		r = write_text(&b->cyclonedx_out, cyclonedx_text(b->manifest), &c, err);
	if (r == 0 && b->o->sha256)
		r = write_sha256(b, &image, err);
	return r < 0 ? r : write_provenance(b, &c, b->o->sha256 ? &image : NULL, err);
}

static int sync_image(void *user, struct error *err)
{
	struct build *b = user;

	return output_sync(&b->image, err);
}

void build_sync_image(struct build *b)
{
	background_start(&b->image_sync, sync_image, b);
}

static bool same_content(int fd, const char *path)
{
	_cleanup_close_ int other = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct error ignored = ERROR_INIT;
	struct sha256 a, b;

	return other >= 0 && sha256_of_fd(fd, path, &a, NULL, &ignored) == 0 &&
	       sha256_of_fd(other, path, &b, NULL, &ignored) == 0 && memcmp(&a, &b, sizeof(a)) == 0;
}

/*
 * An earlier build of this name and version may have left files that this one was not asked for. Beside an image with another manifest
 * they would be taken for what they are not.
 */
static int remove_left(struct build *b, const struct image_result *paths, struct error *err)
{
	_cleanup_free_ char *cyclonedx = cyclonedx_path_for(paths->image_path);
	_cleanup_free_ char *sha256 = xasprintf("%s.sha256", paths->image_path);
	const char *const left[] = {paths->cyclonedx_path ? NULL : cyclonedx,
				    paths->sha256_path ? NULL : sha256};

	if (same_content(b->manifest_out.fd, paths->manifest_path))
		return 0;
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		if (!left[i])
			continue;
		if (unlink(left[i]) == 0)
			log_note("%s: was of the image that this one replaces; removed", left[i]);
		else if (errno != ENOENT)
			return error_errno(err, -errno, "%s: is of another image; removing it", left[i]);
	}
	return 0;
}

int build_commit(struct build *b, const struct image_result *paths, struct error *err)
{
	struct output *const all[] = {&b->unsigned_out, &b->root_hash_out, &b->blocks_out,
				      &b->spdx_out,	&b->cyclonedx_out, &b->provenance_out,
				      &b->manifest_out, &b->sha256_out,	   &b->image};
	const size_t count = sizeof(all) / sizeof(all[0]);
	_cleanup_close_ int lock = -EBADF;
	struct progress progress;
	int r;

	r = interrupt_check(err);
	if (r < 0)
		return r;
	progress_start(&progress, "sync", NULL, 0);
	r = background_wait(&b->image_sync, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		if (all[i]->fd < 0 || all[i] == &b->image)
			continue;
		r = output_sync(all[i], err);
		if (r < 0)
			return r;
	}
	progress_end(&progress, NULL);
	/* Of two builds at the same time the files of one, not some of each. */
	r = output_lock_directory(paths->image_path, &lock, err);
	if (r == 0)
		r = remove_left(b, paths, err);
	if (r < 0)
		return r;
	/* Point of no return. */
	for (size_t i = 0; i < count; i++) {
		if (all[i]->fd < 0)
			continue;
		/* The companions' names are on the disk before the image's: after a power cut too. */
		if (all[i] == &b->image && (r = output_sync_directory(paths->image_path, err)) < 0)
			return r;
		r = output_commit(all[i], false, err);
		if (r < 0)
			return r;
	}
	return output_sync_directory(paths->image_path, err);
}
