/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app.h"
#include "before.h"
#include "end.h"
#include "events.h"
#include "file.h"
#include "image/abi.h"
#include "module.h"
#include "net.h"
#include "network.h"
#include "probe.h"
#include "record.h"
#include "service.h"
#include "writable.h"

#define REAP_MS 2000  /* for processes to go after SIGKILL; one that hangs in the kernel never does */
#define SYNC_MS 10000 /* for a disk that the application, as root, may have mounted */

static struct events events;
static struct app app;
static struct probe probe;

/* Of the application. Times are milliseconds of clock_ms(), UINT64_MAX: never. */
static struct {
	uint64_t started;
	bool ready;
	bool failed;	      /* never became ready: the record is written, what follows is tidying up */
	const char *stopping; /* why; NULL: it is not */
	uint64_t ready_until;
	uint64_t kill_at;
	bool killed;
	bool ended;
	int status; /* of waitpid(2) */
} state = {.ready_until = UINT64_MAX, .kill_at = UINT64_MAX};

static void load_root_modules(const struct conf *c)
{
	for (size_t i = 0; i < c->root_modules.len; i++) {
		int r = module_load(c->root_modules.ptr[i]);

		if (r < 0)
			fail(ABI_FAILED_MODULE, "%s: %s", c->root_modules.ptr[i], strerror(-r));
	}
}

static void prepare(const struct conf *c)
{
	int r;

	writable_mount_all(c);
	if (sethostname(c->hostname, strlen(c->hostname)) < 0)
		fail(ABI_FAILED_SETUP, "hostname '%s': %s", c->hostname, strerror(errno));
	r = net_loopback();
	if (r < 0)
		fail(ABI_FAILED_SETUP, "the loopback interface: %s", strerror(-r));
	load_root_modules(c);
}

static void become_ready(void)
{
	state.ready = true;
	state.ready_until = UINT64_MAX;
	record_begin(ABI_EVENT_READY);
	record_number("ms", clock_ms() - state.started);
	record_end();
}

static void start(const struct conf *c)
{
	app_start(c, &(struct app_program){.argv = c->args.ptr}, &app);
	state.started = clock_ms();
	record_begin(ABI_EVENT_STARTED);
	record_number("pid", (uint64_t)app.pid);
	record_end();
	probe_init(&probe);
	if (c->ready_port == 0)
		become_ready();
	else
		state.ready_until = state.started + c->ready_timeout * 1000;
}

/* Asks the application to end; StopTimeout= later it is not asked any more. */
static void request_stop(const struct conf *c, const char *why)
{
	state.stopping = why;
	state.kill_at = clock_ms() + c->stop_timeout * 1000;
	probe_close(&probe);
	if (!state.failed) {
		record_begin(ABI_EVENT_STOPPING);
		record_text("reason", why);
		record_end();
	}
	/* ESRCH: it ended this moment, and its SIGCHLD is on the way. */
	(void)kill(app.pid, (int)c->stop_signal);
}

static void reap(void)
{
	int status;
	pid_t pid;

	events.child = false;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == app.pid) {
			state.ended = true;
			state.status = status;
		}
}

static void check_ready(const struct conf *c)
{
	if (state.ready || state.stopping)
		return;
	if (probe_step(&probe, c)) {
		become_ready();
	} else if (clock_ms() >= state.ready_until) {
		record_begin(ABI_EVENT_FAILED);
		record_text("reason", ABI_FAILED_TIMEOUT);
		record_text("detail", c->ready_path ? "no HTTP answer of 2xx or 3xx in time"
						    : "nothing accepts connections on its port in time");
		record_end();
		state.failed = true;
		request_stop(c, ABI_FAILED_TIMEOUT);
	}
}

/* When the loop must wake at the latest. */
static uint64_t next_deadline(void)
{
	uint64_t next = state.kill_at;

	if (!state.ready && !state.stopping) {
		next = state.ready_until < next ? state.ready_until : next;
		next = probe.deadline < next ? probe.deadline : next;
	}
	return network_deadline() < next ? network_deadline() : next;
}

/* Until the application has ended, or does not even after SIGKILL. */
static void supervise(const struct conf *c)
{
	while (!state.ended) {
		struct pollfd p[2 + NETWORK_FDS_MAX] = {
			{.fd = app.output_fd, .events = POLLIN},
			{.fd = probe.fd, .events = probe.events},
		};

		events_wait(&events, p, 2 + network_poll(p + 2), next_deadline());
		network_step();
		if (p[0].revents)
			app_forward(&app, false);
		if (events.child)
			reap();
		if (state.ended)
			break;
		if (events.stop && !state.stopping)
			request_stop(c, events.stop);
		if (clock_ms() >= state.kill_at) {
			if (state.killed)
				break;
			(void)kill(app.pid, SIGKILL);
			state.killed = true;
			state.kill_at = clock_ms() + REAP_MS;
		}
		check_ready(c);
	}
}

/* The processes that the application left behind, and the last of the output. */
static void clean_up(void)
{
	uint64_t until = clock_ms() + REAP_MS;

	(void)kill(-1, SIGKILL);
	for (;;) {
		reap();
		if ((waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD) || clock_ms() >= until)
			break;
		events_wait(&events, NULL, 0, until);
	}
	app_forward(&app, true);
}

static void record_stopped(const char *why)
{
	record_begin(ABI_EVENT_STOPPED);
	record_text("reason", why);
	if (state.ended && WIFEXITED(state.status))
		record_number("status", (uint64_t)WEXITSTATUS(state.status));
	else if (state.ended)
		record_number("signal", (uint64_t)WTERMSIG(state.status));
	record_end();
}

/* In a child, since nothing ends a sync(2) that hangs. */
static void sync_disks(void)
{
	uint64_t until = clock_ms() + SYNC_MS;
	pid_t pid = fork();

	if (pid == 0) {
		sync();
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, WNOHANG) == 0 && clock_ms() < until)
		events_wait(&events, NULL, 0, until);
}

/* Whatever is to be said about the end, and the end. */
static _Noreturn void finish(void)
{
	if (state.stopping) {
		if (!state.failed)
			record_stopped(state.stopping);
	} else if (state.ready) {
		record_stopped(ABI_STOP_EXITED);
	} else if (WIFEXITED(state.status)) {
		fail(ABI_FAILED_EXITED, "it ended with status %d before it was ready",
		     WEXITSTATUS(state.status));
	} else {
		fail(ABI_FAILED_EXITED, "signal %d ended it before it was ready", WTERMSIG(state.status));
	}
	sync_disks();
	end_machine(END_POWEROFF);
}

/* A request to stop that came before there was anything to stop. */
static void check_stop(void)
{
	if (!events.stop)
		return;
	record_stopped(events.stop);
	end_machine(END_POWEROFF);
}

_Noreturn void service_run(const struct conf *c, int uevent_fd)
{
	events_open(&events, uevent_fd);
	prepare(c);
	network_start(c, &events);
	check_stop();
	before_run_all(c, &events);
	check_stop();
	start(c);
	supervise(c);
	clean_up();
	finish();
}
