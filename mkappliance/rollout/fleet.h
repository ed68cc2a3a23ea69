/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs instances, as the controller sees it: it can start and stop one instance at a time, and the controller (rollout/controller.h)
 * does the replacing. A cloud with an engine of its own (an Auto Scaling group) is no fleet: that is started, followed and judged.
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

struct fleet {
	/* To be freed with free(). Instances that ended stay in the list until terminate() was called for them. */
	int (*read)(void *data, struct fleet_reading **ret, size_t *ret_count, struct error *err);

	int (*launch)(void *data, const char *id, const char *image, struct error *err);
	/* Lets the balancer give it requests. */
	int (*attach)(void *data, const char *id, struct error *err);
	/* No new requests; those that are under way go on. */
	int (*drain)(void *data, const char *id, struct error *err);
	/* @force: takes the power away, instead of pressing the button. Once it ended, removes it. */
	int (*terminate)(void *data, const char *id, bool force, struct error *err);

	void *data;
};

#endif
