/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drills of 'mkappliance drill', whoever runs the group: a ground is where they are held (cmd_drill_local.c, cmd_drill_aws.c), a client
 * asks all the time meanwhile (cmd_drill_client.c), reports say what came of them (cmd_drill_report.c).
 */
#ifndef MKAPPLIANCE_CMD_DRILL_H
#define MKAPPLIANCE_CMD_DRILL_H

#include "lib/mem.h"
#include "rollout/drill.h"

#define DRILLS_MAX 32

struct drill_options {
	const char *group, *to, *region, *profile, *endpoint_url;
	const char *url; /* that a client asks; NULL: the group's own balancer, where it is known */
	const struct strlist *images; /* [KIND=]IMAGE */
	unsigned deadline;	      /* of each; 0: from the group */
	unsigned interval;	      /* aws: seconds between two looks; 0: five a second */
	bool per_zone;
	bool json, quiet;
};

/* The image that is to be deployed by @kind: the one named for it, or one named for none; NULL: there is none. */
const char *drill_image_of(const struct drill_options *o, enum drill_kind kind);

struct drill_ground {
	struct drill_stage stage;
	const char *name; /* of the group */
	char *url;	  /* for the client; NULL: it has none */
	bool lends;	  /* as in struct drill_order */
	/* The image that is to be deployed, "" where the kind deploys none. */
	int (*prepare)(void *data, enum drill_kind kind, const struct group *g, char ret[ROLLOUT_IMAGE_SIZE],
		       struct error *err);
	/* After a drill has ended: for those who ask for the history later. */
	int (*keep)(void *data, const struct drill *d, struct error *err);
	/* Ctrl-C: takes back what does not end by itself, and says in @err what is under way. Returns -EINTR. */
	int (*interrupted)(void *data, const struct drill *d, struct error *err);
	void (*close)(void *data);
};

int drill_ground_local(const struct drill_options *o, struct drill_ground *ret, struct error *err);
int drill_ground_aws(const struct drill_options *o, struct drill_ground *ret, struct error *err);

/* Somebody who asks one URL all the time, in a thread of its own. */
struct drill_client;
/* A usage error for what is no URL of HTTP. NULL @url: no client, and *ret is NULL. */
int drill_client_start(const char *url, struct drill_client **ret, struct error *err);
/* Fills in what it measured. NULL is fine. */
void drill_client_stop(struct drill_client *c, struct drill *d);

struct drill_list {
	const char *group;
	struct drill list[DRILLS_MAX];
	size_t count;
	const char *unheld; /* the kind that could not be held, or was broken off; NULL: none */
	const char *why;    /* borrowed; with @unheld */
};

void drill_print(const struct drill *d);
unsigned drill_count_failed(const struct drill_list *l);
struct json *drill_report_json(const struct drill_list *l);
/* Whether they can be written at all; either may be NULL. To be asked before anything is struck. */
int drill_report_check(const char *report, const char *junit, struct error *err);
/* JUnit for a name that ends in ".xml" or with @junit, else JSON. */
int drill_report_write(const struct drill_list *l, const char *path, bool junit, struct error *err);

#endif
