/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How package managers get to be root here: as root directly, as a user in a name space of subordinate ids
 * (subuid(5), newuidmap(1)).
 */
#ifndef MKAPPLIANCE_COMPOSE_SANDBOX_IDS_H
#define MKAPPLIANCE_COMPOSE_SANDBOX_IDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/error.h"

/* One range of /etc/subuid or /etc/subgid. */
struct id_range {
	uint32_t start;
	uint32_t count;
};

/* What a user has; @needed false: we are root, and the rest is zero. */
struct sandbox_ids {
	bool needed;
	struct id_range uids;
	struct id_range gids;
};

/* An error says what is missing and the command that gives it. */
int sandbox_ids_find(struct sandbox_ids *ret, struct error *err);

/*
 * Maps root of the user name space of @pid to ourselves and the ids from 1 on to the subordinate ones, so that what it
 * writes as root into our directories is ours.
 */
int sandbox_ids_map(const struct sandbox_ids *ids, pid_t pid, struct error *err);

/*
 * The first range that the text of /etc/subuid ("name:start:count" lines) gives to @name or to the number @id; false: none.
 */
bool sandbox_ids_parse(const char *text, const char *name, uint32_t id, struct id_range *ret);

#endif
