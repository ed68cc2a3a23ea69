/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/background.h"

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
	if (!b->threaded)
		thread_main(b);
}

int background_wait(struct background *b, struct error *err)
{
	int r;

	if (!b->work)
		return 0;
	if (b->threaded)
		pthread_join(b->thread, NULL);
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
