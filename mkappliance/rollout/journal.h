/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group on the disk: one JSON document, replaced as a whole (temporary name, fsync, rename), so that a reader and a successor see one
 * state or the next, never half of it. Read again with every number and word checked.
 */
#ifndef MKAPPLIANCE_ROLLOUT_JOURNAL_H
#define MKAPPLIANCE_ROLLOUT_JOURNAL_H

#include "lib/json.h"
#include "rollout/group.h"

#define JOURNAL_FORMAT 1

struct json *group_json(const struct group *g);
/* Parser of what may have been altered. @name is for messages. Emptied by group_free(). */
int group_parse(const struct json *j, const char *name, struct group *ret, struct error *err);

int journal_write(const char *path, const struct group *g, struct error *err);
int journal_read(const char *path, struct group *ret, struct error *err);

/* The members of a plan, as they stand in the journal and in a request; those of ROLLOUT_UNSET are left out. What @j does not name keeps its value in @ret. */
struct json *rollout_plan_json(const struct rollout_plan *p);
int rollout_plan_parse(const struct json *j, struct rollout_plan *ret, struct error *err);

#endif
