/* SPDX-License-Identifier: Apache-2.0 */
/* build --locked: what is built now against the manifest of an earlier build. Every difference is a refusal (exit code 3) that names it. */
#ifndef MKAPPLIANCE_IMAGE_LOCKED_H
#define MKAPPLIANCE_IMAGE_LOCKED_H

#include "image/manifest.h"

struct locked {
	char *path;
	struct manifest *manifest;
	struct block_digests
		blocks; /* of the .blocks beside it, when that belongs to it: to say where an image differs */
	bool has_blocks;
};

int locked_read(const char *path, struct locked *ret, struct error *err);
void locked_free(struct locked *l);
#define _cleanup_locked_ __attribute__((cleanup(locked_free)))

/*
 * Before anything is written: name, version, tool, kernel, command line, every package by its version and every input by its digest. The first
 * difference is the error, all of them (20 at most) are notes. @now needs no more than these members.
 */
int locked_check_inputs(const struct locked *l, const struct manifest *now, struct error *err);

/*
 * When all is written: the bytes. @blocks and @fd are of the image that was built; the first partition that differs is named, and the files of the
 * root whose bytes do where .blocks tells it.
 */
int locked_check_image(const struct locked *l, const struct manifest *now, const struct block_digests *blocks,
		       int fd, struct error *err);

#endif
