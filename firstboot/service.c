/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

#include "app.h"
#include "beside.h"
#include "cgroup.h"
#include "file.h"
#include "image/abi.h"
#include "record.h"
#include "service.h"
#include "steps.h"

#define KILL_MS 2000 /* for a process to go after SIGKILL; one that hangs in the kernel never does */

struct line service_why;

void service_init(struct service *s, const struct conf_service *c)
{
	s->conf = c;
	s->state = SERVICE_WAITING;
	s->deadline = UINT64_MAX;
	out_init(&s->output, c->name);
	health_init(&s->health);
}

void service_fail(struct service *s, const char *reason, const char *format, ...)
{
	va_list ap;

	if (s->failed)
		return;
	s->failed = reason;
	line_reset(&service_why);
	va_start(ap, format);
	line_vprintf(&service_why, format, ap);
	va_end(ap);
}

static void enter(struct service *s, enum service_state state, uint64_t deadline)
{
	s->state = state;
	s->deadline = deadline;
}

/* ---- start ---- */

/* One that could not be started: nothing of it runs. */
static void start_failed(struct service *s)
{
	struct line why = service_why;

	enter(s, SERVICE_ENDED, UINT64_MAX);
	service_fail(s, ABI_FAILED_EXEC, "%s", why.text);
}

static void become_ready(struct service *s)
{
	enter(s, SERVICE_READY, UINT64_MAX);
	health_watch_begin(&s->health, s->conf);
}

/* The first one of all says what the way there took. */
static void record_started(const struct service *s)
{
	static bool any;

	record_begin(ABI_EVENT_STARTED);
	record_text("service", s->conf->name);
	record_number("pid", (uint64_t)s->child.pid);
	if (!any) {
		steps_end(STEP_EXEC);
		record_number("total_ms", steps_total());
		record_number("processors", beside_processors());
		steps_record();
	}
	any = true;
	record_end();
}

static void start_application(struct service *s)
{
	const struct conf_service *c = s->conf;
	int r = health_begin(&s->health, c);

	line_reset(&service_why);
	if (r < 0) {
		line_printf(&service_why, "the socket for sd_notify: %s", strerror(-r));
		start_failed(s);
		return;
	}
	if (app_start(c, &(struct app_program){.argv = c->args.ptr}, &s->child, &s->output, &service_why) <
	    0) {
		start_failed(s);
		return;
	}
	s->started = clock_ms();
	record_started(s);
	if (!health_has_ready(c))
		become_ready(s);
	else
		enter(s, SERVICE_STARTING, s->started + c->ready_timeout * 1000);
}

/* The next program of Before=, or the service itself. */
static void start_next(struct service *s)
{
	const struct conf_service *c = s->conf;
	const char *argv[CONF_LIST_MAX + 1];
	struct conf_before b;

	if (s->before_next == c->before.len) {
		start_application(s);
		return;
	}
	/* Checked by conf_parse(), as the sum of the counts is. */
	(void)conf_before(c->before.ptr[s->before_next++], &b);
	memcpy(argv, c->before_args.ptr + s->before_at, b.count * sizeof argv[0]);
	argv[b.count] = NULL;
	s->before_at += b.count;
	s->before_may_fail = b.may_fail;
	s->before_program = argv[0];
	line_reset(&service_why);
	if (app_start(c, &(struct app_program){.argv = argv, .as_root = b.as_root}, &s->child, &s->output,
		      &service_why) < 0)
		start_failed(s);
}

void service_start(struct service *s)
{
	s->before_next = s->before_at = 0;
	s->killed = false;
	/* All programs of Before= together have ReadyTimeout=. */
	enter(s, SERVICE_BEFORE, clock_ms() + s->conf->ready_timeout * 1000);
	start_next(s);
}

/* ---- end ---- */

static void end(struct service *s)
{
	cgroup_kill(s->conf->name);
	health_end(&s->health);
	out_forward(&s->output, true);
	enter(s, SERVICE_ENDED, UINT64_MAX);
}

bool service_is_filtered(const struct service *s)
{
	return s->conf->system_calls && WIFSIGNALED(s->child.status) && WTERMSIG(s->child.status) == SIGSYS;
}

/* @who and @which stand before it, @when behind. */
static void fail_ended(struct service *s, const char *who, const char *which, const char *when)
{
	int status = s->child.status;

	if (WIFSIGNALED(status))
		service_fail(s, ABI_FAILED_EXITED, "%s%ssignal %d%s ended it%s", who, which, WTERMSIG(status),
			     service_is_filtered(s) ? " (a system call that it may not make)" : "", when);
	else
		service_fail(s, ABI_FAILED_EXITED, "%s%sit ended with status %d%s", who, which,
			     WEXITSTATUS(status), when);
}

/* A program of Before= has ended. What it left behind in its session ends with it. */
static void before_ended(struct service *s)
{
	bool good = WIFEXITED(s->child.status) && WEXITSTATUS(s->child.status) == 0;

	(void)kill(-s->child.pid, SIGKILL);
	cgroup_kill(s->conf->name);
	if (good || s->before_may_fail) {
		start_next(s);
		return;
	}
	fail_ended(s, s->before_program, ", which runs before the application, ended badly: ", "");
	end(s);
}

/* Says that it has ended, and what follows: NULL, nothing; or after which time it starts again. */
static void record_ended(const struct service *s, const uint64_t *delay)
{
	record_begin(ABI_EVENT_ENDED);
	record_text("service", s->conf->name);
	if (WIFSIGNALED(s->child.status))
		record_number("signal", (uint64_t)WTERMSIG(s->child.status));
	else
		record_number("status", (uint64_t)WEXITSTATUS(s->child.status));
	if (s->oom)
		record_text("cause", ABI_CAUSE_OOM);
	else if (service_is_filtered(s))
		record_text("cause", ABI_CAUSE_SYSTEM_CALL);
	if (delay)
		record_number("restart_ms", *delay);
	record_end();
}

/* One that is not started again, though Restart= may say so. */
static void give_up(struct service *s, bool again)
{
	if (again) {
		service_fail(s, ABI_FAILED_RESTARTS, "it ended again, after %llu restarts in %llu s",
			     (unsigned long long)s->conf->restart_limit,
			     (unsigned long long)s->conf->restart_window);
	} else if (s->oom) {
		service_fail(s, ABI_FAILED_OOM, "the kernel killed it because memory ran out");
	} else {
		s->exited = s->state == SERVICE_READY && !s->failed;
		fail_ended(s, "", "", s->exited ? "" : " before it was ready");
	}
	end(s);
}

/* The service itself has, and nobody asked it to. What it left behind ends with it. */
static void application_ended(struct service *s)
{
	const struct conf_service *c = s->conf;
	bool good = WIFEXITED(s->child.status) && WEXITSTATUS(s->child.status) == 0;
	bool again = c->restart == CONF_RESTART_ALWAYS || (c->restart == CONF_RESTART_ON_FAILURE && !good);
	uint64_t kills = cgroup_oom_kills(c->name), delay = 0;

	s->oom = kills > s->oom_kills;
	s->oom_kills = kills;
	cgroup_kill(c->name);
	health_end(&s->health);
	out_forward(&s->output, true);
	if (again && !s->failed &&
	    restart_next(&s->restart, clock_ms(), c->restart_limit, c->restart_window * 1000, &delay)) {
		record_ended(s, &delay);
		enter(s, SERVICE_PAUSED, clock_ms() + delay);
		return;
	}
	if (again || s->oom)
		record_ended(s, NULL);
	give_up(s, again);
}

static void child_ended(struct service *s)
{
	if (s->state == SERVICE_BEFORE)
		before_ended(s);
	else if (s->state == SERVICE_STOPPING)
		end(s);
	else
		application_ended(s);
}

void service_stop(struct service *s)
{
	health_pause(&s->health);
	if (!s->child.running) {
		end(s);
		return;
	}
	enter(s, SERVICE_STOPPING, clock_ms() + s->conf->stop_timeout * 1000);
	/* ESRCH: it ended this moment, and its SIGCHLD is on the way. */
	(void)kill(s->child.pid, (int)s->conf->stop_signal);
}

/* ---- what is due ---- */

static void deadline_over(struct service *s)
{
	switch (s->state) {
	case SERVICE_BEFORE:
		service_fail(s, ABI_FAILED_TIMEOUT,
			     "%s, which runs before the application, did not end in time", s->before_program);
		s->deadline = UINT64_MAX;
		break;
	case SERVICE_STARTING:
		service_fail(s, ABI_FAILED_TIMEOUT, "%s", health_missing(s->conf));
		s->deadline = UINT64_MAX;
		break;
	case SERVICE_STOPPING:
		if (s->killed) {
			s->stuck = true;
			end(s);
			break;
		}
		cgroup_kill(s->conf->name);
		(void)kill(s->child.pid, SIGKILL);
		s->killed = true;
		s->deadline = clock_ms() + KILL_MS;
		break;
	case SERVICE_PAUSED:
		service_start(s);
		break;
	case SERVICE_WAITING:
	case SERVICE_READY:
	case SERVICE_ENDED:
		break;
	}
}

/* What its health says, while it runs. */
static void step_health(struct service *s)
{
	struct line why = {.len = 0};

	if (s->failed)
		return;
	if (s->state == SERVICE_STARTING && health_ready(&s->health, s->conf))
		become_ready(s);
	else if (s->state == SERVICE_READY && health_watch(&s->health, s->conf, &why))
		service_fail(s, ABI_FAILED_WATCH, "%s", why.text);
}

void service_step(struct service *s)
{
	bool runs = s->state != SERVICE_WAITING && s->state != SERVICE_ENDED;

	out_forward(&s->output, false);
	if (!runs)
		return;
	if (!s->child.running && s->state != SERVICE_PAUSED) {
		child_ended(s);
		return;
	}
	step_health(s);
	if (clock_ms() >= s->deadline)
		deadline_over(s);
}

uint64_t service_deadline(const struct service *s)
{
	bool looks = !s->failed &&
		     (s->state == SERVICE_STARTING || (s->state == SERVICE_READY && s->health.watching));
	uint64_t next = looks ? health_deadline(&s->health, s->conf) : UINT64_MAX;

	return next < s->deadline ? next : s->deadline;
}

size_t service_poll(const struct service *s, struct pollfd *p)
{
	p[0] = (struct pollfd){.fd = s->output.fd, .events = POLLIN};
	health_poll(&s->health, p + 1);
	return SERVICE_FDS_MAX;
}

bool service_alive(const struct service *s)
{
	return s->state != SERVICE_WAITING && s->state != SERVICE_ENDED;
}
