/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a unit and its drop-ins in a tree, as systemd does (systemd.unit(5), "Unit file load path"). */
#ifndef MKAPPLIANCE_COMPOSE_UNIT_LOAD_H
#define MKAPPLIANCE_COMPOSE_UNIT_LOAD_H

#include "compose/merge.h"
#include "compose/unit_file.h"

/* The directories that are searched, highest priority first; ends in NULL. */
extern const char *const unit_directories[];

/*
 * Reads unit @name ("app.service", "app", "app@blue.service") and its drop-ins, the ones that count later behind. *@ret_id, to be freed,
 * is what the unit calls itself: that of the file, where @name is only another name of it. A unit that is not there, is masked, or is
 * a template without an instance is a usage error.
 */
int unit_load(const struct merge *m, const char *name, struct unit_file *ret, char **ret_id,
	      struct error *err);

#endif
