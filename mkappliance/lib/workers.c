/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/workers.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "lib/interrupt.h"

#define THREADS_MAX 64u

struct workers {
	_Atomic uint64_t next;
	atomic_bool stop;
	uint64_t pieces;
	int (*worker)(struct workers *w, void *user, struct error *err);
	void *user;
	pthread_mutex_t lock; /* of the two below */
	int result;	      /* 0, or the code of the first failure */
	struct error *err;
};

bool workers_next(struct workers *w, uint64_t *ret_piece)
{
	uint64_t piece;

	if (atomic_load_explicit(&w->stop, memory_order_relaxed) || interrupt_pending())
		return false;
	piece = atomic_fetch_add_explicit(&w->next, 1, memory_order_relaxed);
	if (piece >= w->pieces)
		return false;
	*ret_piece = piece;
	return true;
}

static void *thread_main(void *arg)
{
	struct workers *w = arg;
	struct error err = ERROR_INIT;
	int r = w->worker(w, w->user, &err);

	if (r < 0) {
		atomic_store_explicit(&w->stop, true, memory_order_relaxed);
		pthread_mutex_lock(&w->lock);
		if (w->result == 0) {
			w->result = r;
			*w->err = err;
		}
		pthread_mutex_unlock(&w->lock);
	}
	return NULL;
}

unsigned workers_processors(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	n = CPU_COUNT(&set);
	return n > 0 ? (unsigned)n : 1;
}

int workers_run(unsigned threads, uint64_t pieces,
		int (*worker)(struct workers *w, void *user, struct error *err), void *user,
		struct error *err)
{
	struct workers w = {
		.pieces = pieces,
		.worker = worker,
		.user = user,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.err = err,
	};
	pthread_t others[THREADS_MAX];
	unsigned started = 0;

	if (pieces == 0)
		return 0;
	if (threads == 0)
		threads = workers_processors();
	if (threads > THREADS_MAX)
		threads = THREADS_MAX;
	if (threads > pieces)
		threads = (unsigned)pieces;

	/* This thread is one of them; where no other can be had it does the work alone. */
	while (started + 1 < threads && pthread_create(&others[started], NULL, thread_main, &w) == 0)
		started++;
	thread_main(&w);
	for (unsigned i = 0; i < started; i++)
		pthread_join(others[i], NULL);

	if (w.result < 0)
		return w.result;
	return interrupt_check(err);
}
