/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a build: the image and what stands beside it. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "image/build_internal.h"
#include "image/spdx.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"

int build_open_outputs(struct build *b, struct image_result *paths, struct error *err)
{
	const char *dir = b->o->output_dir;
	int r;

	paths->image_path = xasprintf("%s/%s-%s.raw", dir, b->t->appliance.name, b->t->appliance.version);
	paths->manifest_path = manifest_path_for(paths->image_path);
	paths->blocks_path = blocks_path_for(paths->image_path);
	paths->spdx_path = spdx_path_for(paths->image_path);
	if (b->o->sha256)
		paths->sha256_path = xasprintf("%s.sha256", paths->image_path);

	r = io_make_dirs(dir, 0777, err);
	if (r < 0)
		return r;
	if ((r = output_open(paths->image_path, &b->image, err)) < 0 ||
	    (r = output_open(paths->manifest_path, &b->manifest_out, err)) < 0 ||
	    (r = output_open(paths->blocks_path, &b->blocks_out, err)) < 0 ||
	    (r = output_open(paths->spdx_path, &b->spdx_out, err)) < 0)
		return r;
	if (b->o->unsigned_out && (r = output_open(b->o->unsigned_out, &b->unsigned_out, err)) < 0)
		return r;
	if (paths->sha256_path && (r = output_open(paths->sha256_path, &b->sha256_out, err)) < 0)
		return r;
	if (ftruncate(b->image.fd, (off_t)b->layout.size) < 0)
		return error_errno(err, -errno, "%s: a sparse file of %" PRIu64 " bytes", paths->image_path,
				   b->layout.size);
	block_digests_init(&b->blocks, b->layout.size);
	return 0;
}

/* In the format of sha256sum, beside the image: a pass over the whole file, holes and all. */
static int write_sha256(struct build *b, struct error *err)
{
	char hex[SHA256_HEX_SIZE];
	_cleanup_free_ char *line = NULL;
	struct progress progress;
	struct sha256 digest;
	uint64_t size;
	int r;

	if (!b->o->sha256)
		return 0;
	progress_start(&progress, "sha256", NULL, 0);
	if (lseek(b->image.fd, 0, SEEK_SET) < 0)
		return error_errno(err, -errno, "%s: going back to its start", b->image.path);
	r = sha256_of_fd(b->image.fd, b->image.path, &digest, &size, err);
	if (r < 0)
		return r;
	hex_encode(digest.b, sizeof(digest.b), hex);
	line = xasprintf("%s  %s\n", hex, basename(b->image.path));
	r = io_write_full(b->sha256_out.fd, b->sha256_out.path, line, strlen(line), err);
	if (r < 0)
		return r;
	progress_end(&progress, NULL);
	return 0;
}

int build_write_companions(struct build *b, struct error *err)
{
	_cleanup_free_ char *text = manifest_text(b->manifest), *spdx = spdx_text(b->manifest);
	_cleanup_buf_ struct buf blocks = {0};
	int r;

	blocks_encode(&b->blocks, b->layout.size, &blocks);
	r = io_write_full(b->manifest_out.fd, b->manifest_out.path, text, strlen(text), err);
	if (r < 0)
		return r;
	r = io_write_full(b->blocks_out.fd, b->blocks_out.path, blocks.ptr, blocks.len, err);
	if (r < 0)
		return r;
	r = io_write_full(b->spdx_out.fd, b->spdx_out.path, spdx, strlen(spdx), err);
	if (r < 0)
		return r;
	return write_sha256(b, err);
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

int build_commit(struct build *b, const struct image_result *paths, struct error *err)
{
	struct output *const all[] = {&b->unsigned_out, &b->blocks_out, &b->spdx_out,
				      &b->manifest_out, &b->sha256_out, &b->image};
	const size_t count = sizeof(all) / sizeof(all[0]);
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
