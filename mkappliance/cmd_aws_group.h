/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group of AWS for deploy, status and rollback. The engine is the cloud's own (an instance refresh, which goes on when we are gone); we
 * start it, follow it and judge it. What a deployment leaves for the next one stands in tags of the group:
 *
 *   mkappliance:previous   the image that the group ran before the last deployment
 */
#ifndef MKAPPLIANCE_CMD_AWS_GROUP_H
#define MKAPPLIANCE_CMD_AWS_GROUP_H

#include "cloud/aws_asg.h"
#include "rollout/group.h"

#define GROUP_TAG_PREVIOUS "mkappliance:previous"
#define AWS_GROUP_INTERVAL 5 /* seconds: three or four calls each, whatever the size of the group */

struct aws_group_options {
	const char *group;
	const char *region, *profile, *endpoint_url; /* NULL: as AWS's own programs have them */
	struct rollout_plan plan;		     /* all of it said */
	unsigned interval;			     /* seconds between two looks; 0: five a second */
	bool unverified;
	bool json, quiet;
	/* Sees each look at the group while a refresh is followed. */
	void (*watcher)(void *data, const struct asg_group *g, const struct asg_refresh *r);
	void *watcher_data;
};

/* 1: @to says aws, 0: it does not, and nothing else was said that is for aws only; usage errors otherwise. */
int aws_group_choose(const struct aws_group_options *o, const char *to, struct error *err);

/* "ami-..." with hexadecimal digits. */
bool aws_group_is_image(const char *text);

/* 0 when it was deployed; exit code 4 when the group was brought back. @image NULL: the previous one, by the group's tag. */
int aws_group_deploy(const struct aws_group_options *o, const char *image, struct error *err);
/* @watch: as look_show() has it (cmd_look.h). */
int aws_group_status(const struct aws_group_options *o, unsigned watch, struct error *err);

#endif
