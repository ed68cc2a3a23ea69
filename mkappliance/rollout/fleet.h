/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs instances, as the controller sees it. There are two kinds:
 *
 * - A plain fleet (libvirt): it can start and stop one instance at a time, and the controller (rollout/controller.h) does the replacing.
 *   All functions but the engine's are there.
 * - A fleet with an engine of its own (an auto scaling group): the cloud replaces instances, and we start that, follow it and judge it
 *   (rollout/refresh.h). There are @read and the engine's functions; the others are NULL.
 *
 * Rules for whoever writes one:
 *
 * - An id is chosen by the controller and written to its journal before launch() is called with it. Every function may be called again
 *   with the same arguments, after a crash or because the answer got lost, and then does nothing more: launch() of an id that is there,
 *   attach() of what has traffic, terminate() of what is gone all return 0.
 * - Nothing waits: launch() returns when the instance was asked for, terminate() when it was asked to go. read() tells when it happened.
 * - -EAGAIN means "not now" (throttling, a lost connection): the controller asks again at its next step and counts no failure.
 *   Any other error of launch() is a failed launch (no capacity, no such image), and counts.
 * - read() is one look at all instances in as few calls as the provider has for it; the controller makes one a step.
 */
#ifndef MKAPPLIANCE_ROLLOUT_FLEET_H
#define MKAPPLIANCE_ROLLOUT_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define ROLLOUT_ID_SIZE	    48	/* of an instance: "i12", "i-0123456789abcdef0" */
#define ROLLOUT_IMAGE_SIZE  80	/* of an image: 64 hexadecimal digits, "ami-0123456789abcdef0" */
#define ROLLOUT_REASON_SIZE 200 /* one line */

enum health {
	HEALTH_UNKNOWN, /* no check has said anything yet */
	HEALTH_GOOD,
	HEALTH_BAD,
};

/* One instance as it is at this moment. */
struct fleet_reading {
	char id[ROLLOUT_ID_SIZE];
	bool ended;	      /* it will never run again; terminate() takes away what is left of it */
	enum health health;   /* the balancer's verdict, its thresholds counted in */
	bool attached;	      /* the balancer may give it requests */
	unsigned connections; /* open ones; 0 where that is not known */
	uint64_t served;      /* bytes that clients got from it; 0 where that is not known */
	char reason
		[ROLLOUT_REASON_SIZE]; /* of its health or end: "answered 503", "refused (corruption)"; "": no news */
};

/* Where an engine stands. */
enum refresh_state {
	REFRESH_NONE, /* there never was one */
	REFRESH_RUNS,
	REFRESH_WAITS, /* at a checkpoint, or baking */
	REFRESH_DONE,
	REFRESH_BACK, /* it rolls back */
	REFRESH_ROLLED_BACK,
	REFRESH_FAILED,
	REFRESH_CANCELLED,
};

struct refresh_reading {
	char id[ROLLOUT_ID_SIZE];
	enum refresh_state state;
	unsigned percent;
	char reason[ROLLOUT_REASON_SIZE];
};

struct rollout_plan;

struct fleet {
	/* To be freed with free(). Instances that ended stay in the list until terminate() was called for them. */
	int (*read)(void *data, struct fleet_reading **ret, size_t *ret_count, struct error *err);

	/* ---- plain fleets ---- */
	int (*launch)(void *data, const char *id, const char *image, struct error *err);
	/* Lets the balancer give it requests. */
	int (*attach)(void *data, const char *id, struct error *err);
	/* No new requests; those that are under way go on. */
	int (*drain)(void *data, const char *id, struct error *err);
	/* @force: takes the power away, instead of pressing the button. Once it ended, removes it. */
	int (*terminate)(void *data, const char *id, bool force, struct error *err);

	/* ---- fleets with an engine ---- */
	/* Moves the group to @image, by @plan. @ret_id: of the refresh. -EBUSY when somebody else's is running. */
	int (*refresh_start)(void *data, const char *image, const struct rollout_plan *plan,
			     char ret_id[ROLLOUT_ID_SIZE], struct error *err);
	int (*refresh_read)(void *data, struct refresh_reading *ret, struct error *err);
	/* Ends a running one where it stands. 0 when none is running. */
	int (*refresh_cancel)(void *data, struct error *err);

	void *data;
};

#endif
