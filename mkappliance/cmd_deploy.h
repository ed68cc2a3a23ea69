/* SPDX-License-Identifier: Apache-2.0 */
/* What 'deploy' was told, between its command line (cmd_deploy.c) and who carries it out on this host (cmd_deploy_local.c). */
#ifndef MKAPPLIANCE_CMD_DEPLOY_H
#define MKAPPLIANCE_CMD_DEPLOY_H

#include "cmd.h"
#include "cmd_aws_group.h"
#include "cmd_group.h"

#define DEPLOY_UNSET ROLLOUT_UNSET /* a number that was not said */
#define DEPLOY_SIZE  2		   /* machines of a group that is new */

struct deploy_options {
	const char *group;
	const char *to;
	const char *listen;
	const char *health;
	const char *connect;
	struct aws_group_options aws; /* with what is said for aws only */
	const char *strategy;
	unsigned size;
	unsigned memory;
	unsigned cpus;
	struct rollout_plan plan; /* DEPLOY_UNSET: as it is */
	bool allow_drill;
	bool unverified;
	bool destroy;
	bool foreground;
	struct common_options common;
};

/*
 * Makes the group @d where it is not there, and moves it to @image (a file; NULL: the one that it has), or changes what else is said. Ends
 * when that is done, or was brought back (exit code 4). -EINTR: the keeper goes on.
 */
int deploy_local(struct group_dir *d, struct deploy_options *o, const char *image, struct error *err);
/* Ends the group and removes all it had, also where its files are damaged. */
int deploy_local_destroy(struct group_dir *d, struct error *err);

#endif
