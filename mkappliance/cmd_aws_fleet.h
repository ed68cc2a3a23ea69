/* SPDX-License-Identifier: Apache-2.0 */
/* A group of AWS as the controller's and the drills' struct group: what it is at one look. */
#ifndef MKAPPLIANCE_CMD_AWS_FLEET_H
#define MKAPPLIANCE_CMD_AWS_FLEET_H

#include "cloud/aws_asg.h"
#include "rollout/group.h"

#define GROUP_TAG_DRILL_PREFIX "mkappliance:drill:" /* and the kind: what the last one came to */

/*
 * @g with targets and instances read, @r the newest refresh (NULL: none is of interest), @image what the group's own template has.
 * Instances that are being ended are left out: they are no part of the group any more. Emptied with group_free().
 */
void aws_fleet_group(const struct asg_group *g, const struct asg_refresh *r, const char *image,
		     struct group *ret);

#endif
