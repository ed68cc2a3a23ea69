/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual machines and the balancer of a local group, joined to the fleet that the controller of rollout/ wants. */
#ifndef MKAPPLIANCE_CMD_KEEPER_FLEET_H
#define MKAPPLIANCE_CMD_KEEPER_FLEET_H

#include "cmd_group.h"
#include "rollout/controller.h"
#include "vm/members.h"

struct keeper_fleet {
	const struct group_dir *dir;
	struct members *members;
};

/* Takes over what runs, and starts the balancer where it does not. */
int keeper_fleet_open(const struct group_dir *d, struct keeper_fleet *ret, struct error *err);
/* What runs goes on. */
void keeper_fleet_close(struct keeper_fleet *f);
/* Ends the balancer of a group without instances. */
int keeper_fleet_shut(struct keeper_fleet *f, struct error *err);

/* Its data is @f. */
struct fleet keeper_fleet_interface(struct keeper_fleet *f);
/* A failure of the host, on purpose: the power of that machine goes. */
void keeper_fleet_strike(struct keeper_fleet *f, const char *id);

#endif
