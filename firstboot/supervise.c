/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attest.h"
#include "beside.h"
#include "cgroup.h"
#include "child.h"
#include "data.h"
#include "end.h"
#include "events.h"
#include "file.h"
#include "guard.h"
#include "hurry.h"
#include "image/abi.h"
#include "lifetime.h"
#include "memory.h"
#include "metadata.h"
#include "network.h"
#include "realtime.h"
#include "record.h"
#include "root.h"
#include "seal.h"
#include "service.h"
#include "start.h"
#include "status.h"
#include "steps.h"
#include "supervise.h"
#include "writable.h"

#ifndef GRND_INSECURE
#define GRND_INSECURE 4
#endif

#define REAP_MS 2000  /* for processes to go after SIGKILL; one that hangs in the kernel never does */
#define SYNC_MS 10000 /* for a disk that the application, as root, may have mounted */

static struct events events;
static const struct conf *machine;
static struct service services[ABI_SERVICES_MAX];
static size_t service_count;

static struct {
	enum supervise_phase phase;
	uint64_t started;	 /* ms; the first service, 0: none */
	const char *why;	 /* the machine stops; NULL: it does not */
	uint64_t lifetime;	 /* ms; its end, UINT64_MAX: never */
	uint64_t drain;		 /* ms that a planned end drains */
	uint64_t drained;	 /* ms; the end of PHASE_DRAINING */
	bool failed;		 /* the record is written, what follows is tidying up */
	struct service *culprit; /* that brought the end about; NULL: none of them */
} life;

enum supervise_phase supervise_phase(void)
{
	return life.phase;
}

/* ---- start ---- */

/* Until the child has done its next part; what may happen at any time is looked at meanwhile. */
static void wait_beside(void)
{
	struct pollfd p = {.fd = beside_fd(), .events = POLLIN};

	while (p.fd >= 0 && poll(&p, 1, 0) == 0)
		events_wait(&events, &p, 1, UINT64_MAX);
}

static void prepare(const struct conf *c)
{
	struct line why = {.len = 0};

	writable_mount_all(c);
	if (sethostname(c->hostname, strlen(c->hostname)) < 0)
		fail(ABI_FAILED_SETUP, "hostname '%s': %s", c->hostname, strerror(errno));
	for (size_t i = 0; i < c->service_count; i++)
		service_init(&services[i], &c->services[i]);
	service_count = c->service_count;
	steps_end(STEP_SETUP);
	wait_beside();
	if (beside_end(START_DRIVERS, &why) < 0)
		fail(ABI_FAILED_MODULE, "%s", why.text);
	attest_start(c);
	realtime_start(&events);
	steps_end(STEP_DRIVERS);
}

/* Whether all services of @mask are ready. */
static bool are_ready(uint32_t mask)
{
	for (size_t i = 0; i < service_count; i++)
		if ((mask >> i & 1) && services[i].state != SERVICE_READY)
			return false;
	return true;
}

static bool are_all_ready(void)
{
	return are_ready((UINT32_C(1) << service_count) - 1);
}

/* Where there are several: one of them is ready. */
static void record_up(const struct service *s)
{
	record_begin(ABI_EVENT_UP);
	record_text("service", s->conf->name);
	record_number("ms", clock_ms() - s->started);
	record_end();
}

static void start_services(void)
{
	for (size_t i = 0; i < service_count; i++) {
		struct service *s = &services[i];

		if (s->state != SERVICE_WAITING || !are_ready(s->conf->waits_for))
			continue;
		service_start(s);
		if (!life.started)
			life.started = clock_ms();
	}
	for (size_t i = 0; i < service_count && service_count > 1; i++)
		if (services[i].state == SERVICE_READY && !services[i].up) {
			services[i].up = true;
			record_up(&services[i]);
		}
	if (!are_all_ready())
		return;
	life.phase = PHASE_READY;
	record_begin(ABI_EVENT_READY);
	record_number("ms", clock_ms() - life.started);
	record_end();
}

/* ---- end ---- */

static bool any_alive(void)
{
	for (size_t i = 0; i < service_count; i++)
		if (service_alive(&services[i]))
			return true;
	return false;
}

/* A number that is not a secret, and must not wait for the pool. */
static uint64_t random64(void)
{
	uint64_t v;

	if (getrandom(&v, sizeof v, GRND_INSECURE) != (ssize_t)sizeof v)
		v = clock_ms();
	return v;
}

static void begin_stop(const char *why)
{
	life.phase = PHASE_STOPPING;
	life.why = why;
	if (life.failed || !any_alive())
		return;
	record_begin(ABI_EVENT_STOPPING);
	record_text("reason", why);
	record_end();
}

/* A planned end: whoever sends work here is told first, and has a while to stop doing so. */
static void begin_end(const char *why)
{
	if (life.drain == 0 || life.phase != PHASE_READY || !any_alive()) {
		begin_stop(why);
		return;
	}
	life.phase = PHASE_DRAINING;
	life.why = why;
	life.drained = clock_ms() + life.drain;
	record_begin(ABI_EVENT_DRAINING);
	record_text("reason", why);
	record_number("seconds", life.drain / 1000);
	record_end();
}

/* A service cannot go on, and so neither does the machine: nothing limps. */
static void service_failed(struct service *s)
{
	life.culprit = s;
	s->noticed = true;
	if (!s->exited) {
		guard_check(); /* a block that does not match may be why, and is the better reason */
		record_begin(ABI_EVENT_FAILED);
		record_text("reason", s->failed);
		record_text("service", s->conf->name);
		record_text("detail", service_why.text);
		record_end();
		life.failed = true;
	}
	if (s->exited)
		begin_stop(ABI_STOP_EXITED);
	else
		begin_end(s->failed);
}

/* Each when those that wait for it have ended: the reverse of the start. True: one of them had ended already. */
static bool stop_some(void)
{
	uint32_t needed = 0;
	bool ended = false;

	for (size_t i = 0; i < service_count; i++)
		if (service_alive(&services[i]))
			needed |= services[i].conf->waits_for;
	for (size_t i = 0; i < service_count; i++)
		if (service_alive(&services[i]) && services[i].state != SERVICE_STOPPING &&
		    !(needed >> i & 1)) {
			service_stop(&services[i]);
			ended = ended || !service_alive(&services[i]);
		}
	return ended;
}

/* ---- the loop ---- */

static size_t poll_services(struct pollfd *p, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < service_count && n + SERVICE_FDS_MAX <= max; i++)
		n += service_poll(&services[i], p + n);
	return n;
}

static uint64_t next_deadline(void)
{
	uint64_t next = life.phase == PHASE_DRAINING   ? life.drained
			: life.phase == PHASE_STOPPING ? UINT64_MAX
						       : life.lifetime;

	for (size_t i = 0; i < service_count; i++) {
		uint64_t d = service_deadline(&services[i]);

		if (services[i].failed && !services[i].noticed && life.phase < PHASE_DRAINING)
			return 0; /* not looked at yet */
		next = d < next ? d : next;
	}
	return next;
}

static void step(void)
{
	for (size_t i = 0; i < service_count; i++) {
		service_step(&services[i]);
		if (services[i].failed && life.phase < PHASE_DRAINING)
			service_failed(&services[i]);
	}
	if (events.stop && life.phase != PHASE_STOPPING)
		begin_stop(events.stop);
	if (life.phase < PHASE_DRAINING && clock_ms() >= life.lifetime)
		begin_end(ABI_STOP_LIFETIME);
	if (life.phase == PHASE_DRAINING && (clock_ms() >= life.drained || !any_alive()))
		begin_stop(life.why);
	if (life.phase == PHASE_STARTING)
		start_services();
	while (life.phase == PHASE_STOPPING && stop_some())
		;
}

/* ---- the end of the machine ---- */

/* The processes that the services left behind, and the last of the output. */
static void clean_up(void)
{
	uint64_t until = clock_ms() + REAP_MS;

	(void)kill(-1, SIGKILL);
	while (child_any() && clock_ms() < until)
		events_wait(&events, NULL, 0, until);
	for (size_t i = 0; i < service_count; i++)
		out_forward(&services[i].output, true);
}

/* With how the service ended that brought the end about, else the last one to be started. */
static void record_stopped(const char *why)
{
	const struct service *s =
		life.culprit ? life.culprit : &services[service_count ? service_count - 1 : 0];

	record_begin(ABI_EVENT_STOPPED);
	record_text("reason", why);
	if (s->child.pid && !s->child.running && WIFEXITED(s->child.status))
		record_number("status", (uint64_t)WEXITSTATUS(s->child.status));
	else if (s->child.pid && !s->child.running)
		record_number("signal", (uint64_t)WTERMSIG(s->child.status));
	if (s->child.pid && !s->child.running && service_is_filtered(s))
		record_text("cause", ABI_CAUSE_SYSTEM_CALL);
	record_end();
}

/* In a child, since nothing ends a sync(2) that hangs. */
static void sync_disks(void)
{
	uint64_t until = clock_ms() + SYNC_MS;
	struct child c = {.pid = 0};
	pid_t pid = fork();

	if (pid == 0) {
		data_end(machine);
		sync();
		_exit(0);
	}
	if (pid < 0)
		return;
	child_add(&c, pid);
	while (c.running && clock_ms() < until)
		events_wait(&events, NULL, 0, until);
}

static enum status_state status_now(void)
{
	static const enum status_state states[] = {[PHASE_STARTING] = STATUS_STARTING,
						   [PHASE_READY] = STATUS_READY,
						   [PHASE_DRAINING] = STATUS_DRAINING,
						   [PHASE_STOPPING] = STATUS_STOPPING};

	/* A service that ended and is being started again: who sends work here shall wait. */
	if (life.phase == PHASE_READY && !are_all_ready())
		return STATUS_STARTING;
	return states[life.phase];
}

/* What the services find when they start; until one of it says stop. */
static void start_machine(const struct conf *c)
{
	if (c->data_mount) {
		data_start(c, &events);
		steps_end(STEP_DATA);
	}
	if (c->network != CONF_NETWORK_NONE && !events.stop) {
		network_start(c, &events);
		steps_end(STEP_NETWORK);
	}
	if (c->metadata != CONF_METADATA_NONE && !events.stop) {
		metadata_start(c, &events);
		steps_end(STEP_METADATA);
	}
}

/* A request to stop that came before there was anything to stop. */
static void check_stop(void)
{
	if (!events.stop)
		return;
	record_stopped(events.stop);
	sync_disks();
	end_machine(END_POWEROFF);
}

_Noreturn void supervise_run(const struct conf *c, int uevent_fd)
{
	static struct event_source of_services = {
		.poll = poll_services, .deadline = next_deadline, .step = step};
	static struct event_source of_network = {
		.poll = network_poll, .deadline = network_deadline, .step = network_step};

	events_open(&events, uevent_fd);
	machine = c;
	prepare(c);
	start_machine(c);
	check_stop();
	seal(c);
	steps_end(STEP_SEAL);
	life.lifetime = lifetime_end(c->max_lifetime, c->jitter, random64());
	life.drain = c->drain * 1000;
	status_start(c, &events, status_now);
	events_add(&events, &of_network);
	events_add(&events, &of_services);
	start_services();
	hurry_end();
	root_free_initrd();
	memory_forget_stack();
	while (life.phase != PHASE_STOPPING || any_alive())
		events_round(&events);
	clean_up();
	if (!life.failed)
		record_stopped(life.why);
	sync_disks();
	end_machine(END_POWEROFF);
}
