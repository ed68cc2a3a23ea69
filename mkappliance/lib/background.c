/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/background.h"

/* Process-wide on purpose: a new process gets the state of all of them. */
static struct background *running;

static void *thread_main(void *arg)
{
	struct background *b = arg;

	b->result = b->work(b->user, &b->err);
	return NULL;
}

void background_start(struct background *b, int (*work)(void *user, struct error *err), void *user)
{
	*b = (struct background){.work = work, .user = user, .err = ERROR_INIT};
	b->threaded = pthread_create(&b->thread, NULL, thread_main, b) == 0;
	if (!b->threaded) {
		thread_main(b);
		return;
	}
	b->next = running;
	running = b;
}

static void join(struct background *b)
{
	struct background **p = &running;

	if (!b->threaded)
		return;
	pthread_join(b->thread, NULL);
	b->threaded = false;
	while (*p != b)
		p = &(*p)->next;
	*p = b->next;
}

void background_settle(void)
{
	while (running)
		join(running);
}

int background_wait(struct background *b, struct error *err)
{
	int r;

	if (!b->work)
		return 0;
	join(b);
	r = b->result;
	if (r < 0)
		*err = b->err;
	*b = (struct background){0};
	return r;
}

void background_end(struct background *b)
{
	struct error err = ERROR_INIT;

	(void)background_wait(b, &err);
}
