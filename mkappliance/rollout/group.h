/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group of instances of one image, and how it is moved to another image: values only. What changes them is rollout/controller.h; what
 * they look like on the disk is in rollout/journal.h. Times are milliseconds since 1970, since they outlive the process and the machine.
 */
#ifndef MKAPPLIANCE_ROLLOUT_GROUP_H
#define MKAPPLIANCE_ROLLOUT_GROUP_H

#include "rollout/fleet.h"

#define GROUP_NAME_SIZE	  64
#define GROUP_SIZE_MAX	  1000
#define GROUP_HISTORY_MAX 50

enum lifecycle {
	INSTANCE_PENDING,  /* written down, to be launched */
	INSTANCE_STARTING, /* launched, not healthy yet */
	INSTANCE_SERVING,  /* was healthy, has traffic */
	INSTANCE_DRAINING, /* gets nothing new, ends what it has */
	INSTANCE_STOPPING, /* is being stopped; gone when it ended */
};

struct instance {
	char id[ROLLOUT_ID_SIZE];
	char image[ROLLOUT_IMAGE_SIZE];
	char zone[ROLLOUT_ID_SIZE]; /* "us-east-1a"; "" where there are none. Not written down */
	enum lifecycle lifecycle;
	enum health health;
	bool condemned;	 /* said to be unhealthy by a person or a drill: goes at once */
	bool expired;	 /* its lifetime is over: replaced first, then it goes */
	bool hard;	 /* goes without being asked to: it never served */
	bool attached;	 /* has traffic, as was seen last */
	unsigned tries;	 /* launches that failed */
	int64_t born;	 /* written down */
	int64_t changed; /* lifecycle is so since */
	int64_t health_since;
	uint64_t served; /* bytes that clients got, up to when it began to serve or ceased to */
	char reason[ROLLOUT_REASON_SIZE];
};

/* A member of a plan of which nothing was said: no value of one that is carried out. */
#define ROLLOUT_UNSET (~0u)

/* How careful a roll-out is. Seconds and per cent. */
struct rollout_plan {
	unsigned min_healthy; /* of the desired size that must serve at any time, 0 to 100 */
	unsigned
		max_healthy; /* of the desired size that may exist; over 100 always means one more at least */
	unsigned checkpoint; /* how long the first new one must serve well before others follow */
	unsigned bake;	     /* how long all must serve well before it is done */
	unsigned warmup;     /* an instance that is not healthy so long after its launch has failed */
	unsigned deadline;   /* for a whole deployment, and again for the way back */
	unsigned drain;	     /* how long open connections may take to end */
	unsigned failures;   /* new instances that may fail before it is rolled back */
	unsigned max_lifetime; /* of an instance; 0: for ever */
};

#define ROLLOUT_PLAN_DEFAULT                       \
	((struct rollout_plan){.min_healthy = 100, \
			       .max_healthy = 110, \
			       .checkpoint = 10,   \
			       .bake = 10,         \
			       .warmup = 180,      \
			       .deadline = 1800,   \
			       .drain = 30})

/* -EINVAL, a usage error, for one that no group of @size can follow: all must serve and none may be added. */
int rollout_plan_check(const struct rollout_plan *p, unsigned size, struct error *err);
/* How many may exist, and how many must serve. */
unsigned rollout_plan_most(const struct rollout_plan *p, unsigned size);
unsigned rollout_plan_least(const struct rollout_plan *p, unsigned size);

enum phase {
	PHASE_NONE,	  /* nothing under way: only what fails is replaced */
	PHASE_CHECKPOINT, /* one new instance */
	PHASE_ROLLING,
	PHASE_BAKING,
	PHASE_BACK, /* back to the previous image */
};

enum outcome {
	OUTCOME_NONE, /* under way, or never was one */
	OUTCOME_DEPLOYED,
	OUTCOME_ROLLED_BACK,
	OUTCOME_GAVE_UP, /* neither here nor there */
};

struct deployment {
	unsigned number; /* 1, 2, ...; 0: none yet */
	enum phase phase;
	enum outcome outcome;
	char from[ROLLOUT_IMAGE_SIZE]; /* "" for the first one */
	char to[ROLLOUT_IMAGE_SIZE];
	int64_t started;
	int64_t changed; /* phase is so since */
	int64_t ended;	 /* 0: not yet */
	unsigned failures;
	unsigned lowest;		  /* fewest that served while it went on */
	bool at_once;			  /* to what has served before: see group_most() */
	char reason[ROLLOUT_REASON_SIZE]; /* why it was rolled back */
};

struct group {
	char name[GROUP_NAME_SIZE];
	unsigned size; /* desired */
	bool drill;    /* planned failures are allowed */
	struct rollout_plan plan;
	char current[ROLLOUT_IMAGE_SIZE];  /* "": none yet */
	char previous[ROLLOUT_IMAGE_SIZE]; /* what 'rollback' goes to; "": none */
	struct instance *instances;	   /* oldest first */
	size_t count;
	size_t cap;
	unsigned next_id;
	unsigned strikes;	      /* replacements that failed in a row, outside a deployment */
	int64_t hold_until;	      /* nothing is launched before */
	struct deployment deployment; /* the last one, or the one under way */
	struct deployment *history;   /* those before, oldest first */
	size_t history_count;
	size_t history_cap;
	char request[ROLLOUT_ID_SIZE];	   /* the last one that was taken in */
	char refusal[ROLLOUT_REASON_SIZE]; /* why it was not followed; "": it was */
};

void group_free(struct group *g);
#define _cleanup_group_ __attribute__((cleanup(group_free)))

struct instance *group_find(const struct group *g, const char *id);
/* Healthy, and seen to have traffic. */
bool instance_serves(const struct instance *i);
unsigned group_serving(const struct group *g);
/* The image that new instances are to have: "" for none. */
const char *group_wanted(const struct group *g);
/*
 * How many may exist now: what the plan says; but on the way back, and in a deployment that goes at once, as many new ones as are wanted
 * beside those that are there, so that it takes one boot time, whatever the size.
 */
unsigned group_most(const struct group *g);
/* Nothing under way, and as many serve the wanted image as are desired. */
bool group_is_well(const struct group *g);

/* The words of the enumerations, as they are printed and written: "starting", "rolling back". Static. */
const char *lifecycle_name(enum lifecycle l);
const char *health_name(enum health h);
const char *phase_name(enum phase p);
const char *outcome_name(enum outcome o);

/* Cuts what does not fit, and leaves one line. */
void rollout_copy(char *to, size_t size, const char *from);

#endif
