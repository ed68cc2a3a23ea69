/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads chosen 512 KiB blocks of an image by threads of its own and compares each with its digest, ahead of the one thread that sends
 * them. Memory is a fixed number of buffers. Blocks come out in about rising order.
 */
#ifndef MKAPPLIANCE_CLOUD_BLOCK_READER_H
#define MKAPPLIANCE_CLOUD_BLOCK_READER_H

#include <stdint.h>

#include "image/writer.h"
#include "lib/error.h"

struct block_reader_params {
	int fd;
	const char *name; /* of the image, for messages */
	const struct block_digests *want;
	const uint64_t *list; /* the blocks to read, rising; lives as long as the reader */
	uint64_t count;
	unsigned buffers; /* how many blocks may be outside or ready at a time */
	unsigned threads; /* 0: one a processor, at most 4 */
	/* Called by a thread of the reader when a block is ready or it failed: wakes the taker. */
	void (*ready)(void *user);
	void *user;
};

struct ready_block {
	uint64_t index;
	const uint8_t *data; /* LAYOUT_BLOCK bytes; valid until it is given back */
	void *buffer;	     /* the reader's; NULL for zeros, which need none */
};

struct block_reader;

int block_reader_start(const struct block_reader_params *params, struct block_reader **ret,
		       struct error *err);

/*
 * Never waits. 1: there is a block in @ret; 0: none is ready yet, or all have been taken. -EBADMSG (exit code 3) when a block is not what
 * its digest says: the image changed since it was built.
 */
int block_reader_take(struct block_reader *r, struct ready_block *ret, struct error *err);
/* The block is no longer needed. */
void block_reader_give_back(struct block_reader *r, struct ready_block *block);

/* Stops the threads and frees everything, blocks that were not given back too. NULL is fine. */
void block_reader_free(struct block_reader *r);
void block_reader_freep(struct block_reader **r);
#define _cleanup_block_reader_ __attribute__((cleanup(block_reader_freep)))

#endif
