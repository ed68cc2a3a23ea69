/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build --locked and rebuild: what is built now against the manifest of an earlier build. Every difference is a refusal (exit code 3) that
 * names it.
 */
#ifndef MKAPPLIANCE_IMAGE_LOCKED_H
#define MKAPPLIANCE_IMAGE_LOCKED_H

#include "image/manifest.h"

struct locked {
	char *path;
	struct manifest *manifest;
	struct block_digests
		blocks; /* of the .blocks beside it, when that belongs to it: to say where an image differs */
	bool has_blocks;
	int image; /* as well the .raw beside it, to say it to the block; -1: it is not there */
	/*
	 * NULL: a difference among the inputs is refused at once. Otherwise they are noted here, and what comes of them is compared
	 * all the same. Borrowed.
	 */
	struct strlist *causes;
};

#define LOCKED_INIT ((struct locked){.image = -1})

/* @ret->causes is NULL. */
int locked_read(const char *path, struct locked *ret, struct error *err);
void locked_free(struct locked *l);
#define _cleanup_locked_ __attribute__((cleanup(locked_free)))

/* The first of these, and how many more there are, for a message; "" of none. To be freed. */
char *locked_first(const struct strlist *differences);

/*
 * Before anything is written: name, version, tool, kernel, command line, every package by its version and every input by its digest. The first
 * difference is the error, all of them (20 at most) are notes. @now needs no more than these members. With ->causes no difference is an error.
 */
int locked_check_inputs(const struct locked *l, const struct manifest *now, struct error *err);

/*
 * When all is written: the bytes. @blocks and @fd are of the image that was built; the first partition that differs is named, and the files of the
 * root whose bytes do where .blocks tells it. With ->causes the message says the first of them.
 */
int locked_check_image(const struct locked *l, const struct manifest *now, const struct block_digests *blocks,
		       int fd, struct error *err);

#endif
