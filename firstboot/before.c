/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "app.h"
#include "before.h"
#include "end.h"
#include "file.h"

/* Whether @pid has ended; reaps whatever else has. */
static bool reap(struct events *e, pid_t pid, int *ret_status)
{
	bool ended = false;
	int status;
	pid_t p;

	e->child = false;
	while ((p = waitpid(-1, &status, WNOHANG)) > 0)
		if (p == pid) {
			ended = true;
			*ret_status = status;
		}
	return ended;
}

/* Until it ends, the machine shall stop, or its time is over. Its session, of which it is the leader, ends with it. */
static bool wait_for(struct events *e, struct app *a, uint64_t until, int *ret_status)
{
	bool ended = false;

	while (!ended && !e->stop && clock_ms() < until) {
		struct pollfd p = {.fd = a->output_fd, .events = POLLIN};

		events_wait(e, &p, 1, until);
		if (p.revents)
			app_forward(a, false);
		if (e->child)
			ended = reap(e, a->pid, ret_status);
	}
	(void)kill(-a->pid, SIGKILL);
	app_forward(a, true);
	app_close(a);
	return ended;
}

static void run(const struct conf *c, const struct app_program *program, bool may_fail, uint64_t until,
		struct events *e)
{
	struct app a;
	int status = 0;
	bool ended;

	app_start(c, program, &a);
	ended = wait_for(e, &a, until, &status);
	if (!ended && !e->stop)
		fail(ABI_FAILED_TIMEOUT, "%s, which runs before the application, did not end in time",
		     program->argv[0]);
	if (!ended || may_fail)
		return;
	if (WIFSIGNALED(status))
		fail(ABI_FAILED_EXITED, "signal %d ended %s, which runs before the application",
		     WTERMSIG(status), program->argv[0]);
	if (WEXITSTATUS(status) != 0)
		fail(ABI_FAILED_EXITED, "%s, which runs before the application, ended with status %d",
		     program->argv[0], WEXITSTATUS(status));
}

void before_run_all(const struct conf *c, struct events *e)
{
	uint64_t until = clock_ms() + c->ready_timeout * 1000;
	const char *argv[CONF_LIST_MAX + 1];
	size_t at = 0;

	for (size_t i = 0; i < c->before.len && !e->stop; i++) {
		struct conf_before b;

		(void)conf_before(c->before.ptr[i],
				  &b); /* checked by conf_parse(), as the sum of the counts is */
		memcpy(argv, c->before_args.ptr + at, b.count * sizeof argv[0]);
		argv[b.count] = NULL;
		at += b.count;
		run(c, &(struct app_program){.argv = argv, .as_root = b.as_root}, b.may_fail, until, e);
	}
}
