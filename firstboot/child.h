/* SPDX-License-Identifier: Apache-2.0 */
/* Children: one place reaps them all, those that we started and those that lost their parent. */
#ifndef FIRSTBOOT_CHILD_H
#define FIRSTBOOT_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/* One that we started. Lives where its owner keeps it. */
struct child {
	pid_t pid; /* 0: it was never started */
	bool running;
	int status; /* of waitpid(2), once it does not run any more */
	struct child *next;
};

/* From now on child_reap() knows it. @c may be one that has ended, or was never used. */
void child_add(struct child *c, pid_t pid);

/*
 * Reaps what has ended, and notes it in its struct child. At most some hundred at a time, so that a flood of them does not keep
 * us from everything else: true when there may be more.
 */
bool child_reap(void);

/* Whether there is any child at all, known or not. */
bool child_any(void);

#endif
