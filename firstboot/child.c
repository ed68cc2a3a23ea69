/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <sys/wait.h>

#include "child.h"

#define REAP_AT_ONCE 256

static struct child *children; /* that run */

void child_add(struct child *c, pid_t pid)
{
	c->pid = pid;
	c->running = true;
	c->status = 0;
	c->next = children;
	children = c;
}

static void note(pid_t pid, int status)
{
	for (struct child **c = &children; *c; c = &(*c)->next)
		if ((*c)->pid == pid) {
			(*c)->running = false;
			(*c)->status = status;
			*c = (*c)->next;
			return;
		}
}

bool child_reap(void)
{
	int status;
	pid_t pid;

	for (int i = 0; i < REAP_AT_ONCE; i++) {
		pid = waitpid(-1, &status, WNOHANG);
		if (pid <= 0)
			return false;
		note(pid, status);
	}
	return true;
}

bool child_any(void)
{
	siginfo_t s;

	/* WNOWAIT: what has ended is left to child_reap(). */
	return waitid(P_ALL, 0, &s, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}
