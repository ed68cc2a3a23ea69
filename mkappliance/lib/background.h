/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One piece of work beside the caller's own, for a step that would leave a processor idle. Where no thread can be had the work is
 * done at once, by the caller.
 */
#ifndef MKAPPLIANCE_LIB_BACKGROUND_H
#define MKAPPLIANCE_LIB_BACKGROUND_H

#include <pthread.h>
#include <stdbool.h>

#include "lib/error.h"

/* Zeroed: nothing was started. Must stay where it is until background_wait(). */
struct background {
	int (*work)(void *user, struct error *err);
	void *user;
	pthread_t thread;
	bool threaded;
	int result;
	struct error err;
	struct background *next; /* of those whose thread may still run */
};

/* Begins @work, which returns 0 or -errno with its error set. @user is the work's alone until background_wait(). */
void background_start(struct background *b, int (*work)(void *user, struct error *err), void *user);

/* Waits for the work and returns what it returned; 0 when nothing was started. Afterwards @b is zeroed. */
int background_wait(struct background *b, struct error *err);

/* The same for scopes: the result is lost. */
void background_end(struct background *b);

/*
 * Waits until none of them runs; each result is kept for background_wait(). To be called before a process is made that goes on in our
 * own code: what a thread has locked at that moment, in malloc(3) or in a library, stays locked in the new process for ever. Start,
 * wait and settle are the main thread's alone.
 */
void background_settle(void);

#endif
