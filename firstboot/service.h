/* SPDX-License-Identifier: Apache-2.0 */
/* One service from its start to its end. It never waits: service_step() does what is due. */
#ifndef FIRSTBOOT_SERVICE_H
#define FIRSTBOOT_SERVICE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "child.h"
#include "conf.h"
#include "health.h"
#include "line.h"
#include "out.h"
#include "restart.h"

enum service_state {
	SERVICE_WAITING,  /* for its turn */
	SERVICE_BEFORE,	  /* a program of Before= runs */
	SERVICE_STARTING, /* it runs and is not ready yet */
	SERVICE_READY,
	SERVICE_PAUSED,	  /* it has ended, and starts again at the deadline */
	SERVICE_STOPPING, /* was asked to end, or is being killed */
	SERVICE_ENDED,	  /* and does not come again */
};

struct service {
	const struct conf_service *conf;
	enum service_state state;
	struct child child; /* the service, or a program of Before= */
	struct output output;
	struct health health;
	size_t before_next; /* of Before=, and of BeforeArg= */
	size_t before_at;
	const char *before_program;
	bool before_may_fail;
	uint64_t started;  /* ms of clock_ms() */
	uint64_t deadline; /* of the state; UINT64_MAX: it has none */
	bool killed;
	bool up; /* it was ready once, and that was recorded */
	struct restart restart;
	uint64_t oom_kills; /* that are known */
	bool oom;	    /* it ended because memory ran out */
	bool stuck;	    /* not even SIGKILL ended it */

	/*
	 * Why it cannot go on, a reason of "failed"; NULL: it does. What becomes of the machine is decided elsewhere, service_why
	 * has the detail.
	 */
	const char *failed;
	bool noticed; /* by who decides that */
	bool exited;  /* and that is nothing else than that it was ready and ended by itself */
};

extern struct line service_why;

void service_init(struct service *s, const struct conf_service *c);

/* From SERVICE_WAITING on. */
void service_start(struct service *s);

/* Asks it to end; StopTimeout= later it is not asked any more. */
void service_stop(struct service *s);

void service_step(struct service *s);
uint64_t service_deadline(const struct service *s);

#define SERVICE_FDS_MAX (1 + HEALTH_FDS_MAX)

/* At most SERVICE_FDS_MAX; returns how many. */
size_t service_poll(const struct service *s, struct pollfd *p);

/* Whether a process of it runs, or will. */
bool service_alive(const struct service *s);

/* Whether it ended because of a system call that it may not make. */
bool service_is_filtered(const struct service *s);

/* It cannot go on: @reason and the detail, unless there is a reason already. */
void service_fail(struct service *s, const char *reason, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
