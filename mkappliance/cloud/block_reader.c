/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/block_reader.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cloud/plan.h"
#include "lib/io.h"
#include "lib/mem.h"
#include "lib/workers.h"

#define THREADS_MAX 4u

/* What every block of zeros is sent from: in no buffer, and never read. */
static const uint8_t zeros[LAYOUT_BLOCK];

struct block_reader {
	struct block_reader_params p;
	pthread_t threads[THREADS_MAX];
	unsigned started;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t room;  /* a buffer is free, or it is time to stop */
	bool stop;
	uint64_t next;	 /* in p.list */
	uint8_t *memory; /* of all buffers */
	void **free_buffers;
	unsigned free_count;
	struct ready_block *ready; /* ring of ready_cap */
	unsigned ready_cap, ready_first, ready_count;
	int result;
	struct error err;
};

/* Whether the block is a hole, so that reading it would only make zeros. */
static bool is_hole(int fd, uint64_t offset)
{
	off_t data = lseek(fd, (off_t)offset, SEEK_DATA);

	return data < 0 ? errno == ENXIO : (uint64_t)data >= offset + LAYOUT_BLOCK;
}

static int changed(const struct block_reader *r, uint64_t index, struct error *err)
{
	return error_refuse(
		err,
		"%s: block %ju (byte %ju) is not what was built: the image changed since, or while "
		"it was uploaded; build it again",
		r->p.name, (uintmax_t)index, (uintmax_t)(index * LAYOUT_BLOCK));
}

/* Fills @buffer, or finds that it is not needed. */
static int read_block(struct block_reader *r, uint64_t index, void *buffer, struct ready_block *ret,
		      struct error *err)
{
	const struct sha256 *want = &r->p.want->ptr[index];
	bool zero = memcmp(want, plan_zero_digest(), sizeof(*want)) == 0;
	struct sha256 got;
	int n;

	*ret = (struct ready_block){.index = index, .data = zeros};
	if (zero && is_hole(r->p.fd, index * LAYOUT_BLOCK))
		return 0;
	n = io_pread_full(r->p.fd, r->p.name, buffer, LAYOUT_BLOCK, index * LAYOUT_BLOCK, err);
	if (n < 0)
		return n;
	sha256_of(buffer, LAYOUT_BLOCK, &got);
	if (memcmp(want, &got, sizeof(got)) != 0)
		return changed(r, index, err);
	if (!zero) {
		ret->data = buffer;
		ret->buffer = buffer;
	}
	return 0;
}

/* Waits for a buffer and for room in the ring, then takes the next number. False: there is nothing left to do. */
static bool next_block(struct block_reader *r, uint64_t *ret_index, void **ret_buffer)
{
	bool more;

	pthread_mutex_lock(&r->lock);
	while (!r->stop && r->next < r->p.count && (r->free_count == 0 || r->ready_count >= r->p.buffers))
		pthread_cond_wait(&r->room, &r->lock);
	more = !r->stop && r->next < r->p.count;
	if (more) {
		*ret_index = r->p.list[r->next++];
		*ret_buffer = r->free_buffers[--r->free_count];
	}
	pthread_mutex_unlock(&r->lock);
	return more;
}

/* There is room in the ring: next_block() left as many places as there are threads. */
static void put_ready(struct block_reader *r, const struct ready_block *block, void *buffer)
{
	pthread_mutex_lock(&r->lock);
	r->ready[(r->ready_first + r->ready_count++) % r->ready_cap] = *block;
	if (!block->buffer)
		r->free_buffers[r->free_count++] = buffer;
	pthread_mutex_unlock(&r->lock);
	if (r->p.ready)
		r->p.ready(r->p.user);
}

static void fail(struct block_reader *r, void *buffer, int code, const struct error *err)
{
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	r->free_buffers[r->free_count++] = buffer;
	if (r->result == 0) {
		r->result = code;
		r->err = *err;
	}
	pthread_cond_broadcast(&r->room);
	pthread_mutex_unlock(&r->lock);
	if (r->p.ready)
		r->p.ready(r->p.user);
}

static void *thread_main(void *arg)
{
	struct block_reader *r = arg;
	struct error err = ERROR_INIT;
	struct ready_block block;
	uint64_t index;
	void *buffer;
	int n;

	while (next_block(r, &index, &buffer)) {
		n = read_block(r, index, buffer, &block, &err);
		if (n < 0) {
			fail(r, buffer, n, &err);
			break;
		}
		put_ready(r, &block, buffer);
	}
	return NULL;
}

int block_reader_start(const struct block_reader_params *params, struct block_reader **ret, struct error *err)
{
	struct block_reader *r = xcalloc(1, sizeof(*r));
	unsigned threads = params->threads ? params->threads : workers_processors();

	if (threads > THREADS_MAX)
		threads = THREADS_MAX;
	r->p = *params;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->room, NULL);
	r->free_buffers = xcalloc(params->buffers, sizeof(*r->free_buffers));
	r->memory = xmalloc((size_t)params->buffers * LAYOUT_BLOCK);
	/* The last one that was given back is taken first, so that few are touched on a slow line. */
	for (; r->free_count < params->buffers; r->free_count++)
		r->free_buffers[r->free_count] = r->memory + (size_t)r->free_count * LAYOUT_BLOCK;
	/* A thread that saw room may find another's block there first. */
	r->ready_cap = params->buffers + THREADS_MAX;
	r->ready = xcalloc(r->ready_cap, sizeof(*r->ready));
	while (r->started < threads && pthread_create(&r->threads[r->started], NULL, thread_main, r) == 0)
		r->started++;
	if (r->started == 0) {
		block_reader_free(r);
		return error_set(err, -EAGAIN, "no thread can be started to read the image");
	}
	*ret = r;
	return 0;
}

int block_reader_take(struct block_reader *r, struct ready_block *ret, struct error *err)
{
	int n = 0;

	pthread_mutex_lock(&r->lock);
	if (r->result < 0) {
		n = r->result;
		*err = r->err;
	} else if (r->ready_count > 0) {
		*ret = r->ready[r->ready_first];
		r->ready_first = (r->ready_first + 1) % r->ready_cap;
		r->ready_count--;
		n = 1;
		pthread_cond_signal(&r->room);
	}
	pthread_mutex_unlock(&r->lock);
	return n;
}

void block_reader_give_back(struct block_reader *r, struct ready_block *block)
{
	if (block->buffer) {
		pthread_mutex_lock(&r->lock);
		r->free_buffers[r->free_count++] = block->buffer;
		pthread_cond_signal(&r->room);
		pthread_mutex_unlock(&r->lock);
	}
	*block = (struct ready_block){0};
}

void block_reader_free(struct block_reader *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_broadcast(&r->room);
	pthread_mutex_unlock(&r->lock);
	for (unsigned i = 0; i < r->started; i++)
		pthread_join(r->threads[i], NULL);
	free(r->memory);
	free(r->free_buffers);
	free(r->ready);
	pthread_cond_destroy(&r->room);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void block_reader_freep(struct block_reader **r)
{
	block_reader_free(*r);
}
