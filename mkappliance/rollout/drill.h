/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Planned failures: what is done to a group, what must come of it, by when, and what came of it. Whoever holds a drill does what
 * drill_action() says to the group, shows it to drill_observe() again and again until that says that it is over, and has the verdict.
 */
#ifndef MKAPPLIANCE_ROLLOUT_DRILL_H
#define MKAPPLIANCE_ROLLOUT_DRILL_H

#include "lib/json.h"
#include "rollout/group.h"

enum drill_kind {
	DRILL_TERMINATE,  /* a machine loses its power */
	DRILL_UNHEALTHY,  /* one is said to be unhealthy */
	DRILL_BAD_IMAGE,  /* deployed is an image whose readiness never comes */
	DRILL_TAMPERED,	  /* deployed is an image that was altered after it was built */
	DRILL_CRASH_LOOP, /* a machine dies, and its replacements too */
	DRILL_LIFETIME,	  /* the lifetime of the oldest is over */
	DRILL_KINDS,
};

#define DRILL_CRASHES 3
#define DRILL_ZONES   8 /* instances that one drill may end */

/* What is to be held. */
struct drill_order {
	enum drill_kind kind;
	const char *
		image; /* to deploy, by bad-image and tampered-image, and a crash-loop that has one; NULL: none */
	unsigned deadline; /* seconds; 0: from the group's plan */
	bool per_zone;	   /* terminate: the oldest of each zone, instead of the oldest */
	bool lends; /* the provider ends an instance whose lifetime is over before its successor serves */
};

struct drill {
	enum drill_kind kind;
	char victims[DRILL_ZONES][ROLLOUT_ID_SIZE]; /* of a crash loop the last one */
	unsigned victim_count;
	char victim[ROLLOUT_ID_SIZE];	/* that the last action is of */
	char image[ROLLOUT_IMAGE_SIZE]; /* that is deployed; "": none */
	unsigned size;
	unsigned deployment; /* number of the last one before */
	char current[ROLLOUT_IMAGE_SIZE];
	unsigned deadline; /* seconds, from the start to the recovery */
	int64_t started;
	int64_t detected; /* 0: not yet */
	int64_t recovered;
	bool lends;
	unsigned crashes; /* so far */
	unsigned lowest;  /* fewest that served */
	bool measured; /* there was a client that asked all the time; filled by whoever has one, with the next two */
	uint64_t requests;
	uint64_t lost;
	bool was_healthy; /* an instance of @image */
	uint64_t served;  /* bytes that clients got from it */
	bool ok;
	char detail[ROLLOUT_REASON_SIZE];
};

/* What is to be done to the group now. */
enum drill_action {
	DRILL_WAIT,
	DRILL_STRIKE,  /* take the power of @victim */
	DRILL_CONDEMN, /* say that @victim is unhealthy */
	DRILL_EXPIRE,  /* say that the lifetime of @victim is over */
	DRILL_DEPLOY,  /* @image */
};

const char *drill_name(enum drill_kind kind);	      /* "bad-image" */
const char *drill_expectation(const struct drill *d); /* one line */
/* A usage error that names the kinds there are. */
int drill_parse(const char *name, enum drill_kind *ret, struct error *err);

/* Refuses a group that does not allow it (@g->drill), has nothing to lose, or is not well. */
int drill_check(const struct group *g, struct error *err);

/* Refuses a group in which each zone has no more than the one that would go. */
int drill_begin(struct drill *d, const struct drill_order *o, const struct group *g, int64_t now,
		struct error *err);
/* The next thing to do, to @d->victim or with @d->image; each is said once, and taken as done. */
enum drill_action drill_action(struct drill *d, const struct group *g);
/* True once it is over: recovered, or its deadline is past. */
bool drill_observe(struct drill *d, const struct group *g, int64_t now);
/* Fills in @d->ok and @d->detail, once it is over. */
void drill_judge(struct drill *d, const struct group *g);

/* The group that a drill is held in, whoever provides it. */
struct drill_stage {
	/* One look; @ret is emptied with group_free(). */
	int (*look)(void *data, struct group *ret, struct error *err);
	/*
	 * Does it. Returns when it was asked for. A stage that has to follow its deployments itself returns from DRILL_DEPLOY when that
	 * has ended, and calls drill_observe() meanwhile.
	 */
	int (*act)(void *data, struct drill *d, enum drill_action action, struct error *err);
	/* Until the next look; -EINTR after Ctrl-C. */
	int (*wait)(void *data, struct error *err);
	/* Milliseconds since 1970. */
	int64_t (*now)(void *data);
	void *data;
};

/* From its beginning (drill_begin() was called) to its end; @ret_end: the group then, for drill_judge(). Emptied with group_free(). */
int drill_run(const struct drill_stage *s, struct drill *d, struct group *ret_end, struct error *err);

double drill_detect_seconds(const struct drill *d);  /* negative: never */
double drill_recover_seconds(const struct drill *d); /* the same */
struct json *drill_json(const struct drill *d);

#endif
