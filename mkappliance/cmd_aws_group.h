/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group of AWS for deploy, status and rollback. The engine is the cloud's own (an instance refresh, which goes on when we are gone); we
 * start it, follow it and judge it. What a deployment leaves for the next one stands in tags of the group:
 *
 *   mkappliance:previous   the image that the group ran before the last deployment
 *   mkappliance:before     the same before that one: the previous image while the tag above names the image that runs, after a way back
 */
#ifndef MKAPPLIANCE_CMD_AWS_GROUP_H
#define MKAPPLIANCE_CMD_AWS_GROUP_H

#include "cloud/aws_asg.h"
#include "rollout/group.h"

#define GROUP_TAG_PREVIOUS "mkappliance:previous"
#define GROUP_TAG_BEFORE   "mkappliance:before"
#define AWS_GROUP_KEEP	   300 /* seconds that the old group of a blue-green deployment stays */
#define AWS_GROUP_INTERVAL 5   /* seconds: three to five calls each, whatever the size of the group */

struct aws_group_options {
	const char *group;
	const char *region, *profile, *endpoint_url; /* NULL: as AWS's own programs have them */
	struct rollout_plan plan;		     /* all of it said */
	unsigned interval;			     /* seconds between two looks; 0: five a second */
	struct strlist alarms;			     /* of CloudWatch, by name */
	unsigned instance_warmup;		     /* seconds; with @warms_up, else the group's own */
	bool warms_up;
	bool allow_drill;
	bool blue_green;   /* a second group beside the first, instead of a refresh */
	unsigned keep_old; /* seconds that the first one stays then */
	bool create;	   /* with what follows: */
	struct strlist subnets, target_groups, security_groups, tags; /* the last KEY=VALUE */
	const char *type, *instance_profile;
	unsigned size, min_size, max_size;
	bool unverified;
	bool json, quiet;
	/* Sees what every look at a refresh saw; nobody is asked on Ctrl-C then. May be NULL. */
	void (*watcher)(void *data, const struct asg_group *g, const struct asg_refresh *r);
	void *watcher_data;
};

/* 1: @to says aws, 0: it does not, and nothing else was said that is for aws only; usage errors otherwise. */
int aws_group_choose(const struct aws_group_options *o, const char *to, struct error *err);

/* "ami-..." with hexadecimal digits. */
bool aws_group_is_image(const char *text);

/*
 * 0 when it was deployed; exit code 4 when the group was brought back. @image: the id of an AMI, an image's file or its manifest; NULL: the
 * previous one, by the group's tags.
 */
int aws_group_deploy(const struct aws_group_options *o, const char *image, struct error *err);
/* @watch: as look_show() has it (cmd_look.h). */
int aws_group_status(const struct aws_group_options *o, unsigned watch, struct error *err);

/* Until the next look at a group; @interval: seconds, 0: five looks a second. -EINTR after a signal. */
int aws_wait_a_turn(unsigned interval, struct error *err);

/* The image before @current; NULL: the tags name none. */
const char *aws_group_previous(const struct aws_tags *tags, const char *current);

#endif
