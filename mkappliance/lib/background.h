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
};

/* Begins @work, which returns 0 or -errno with its error set. @user is the work's alone until background_wait(). */
void background_start(struct background *b, int (*work)(void *user, struct error *err), void *user);

/* Waits for the work and returns what it returned; 0 when nothing was started. Afterwards @b is zeroed. */
int background_wait(struct background *b, struct error *err);

/* The same for scopes: the result is lost. */
void background_end(struct background *b);

#endif
