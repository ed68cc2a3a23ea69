/* SPDX-License-Identifier: Apache-2.0 */
/* [Files] Copy=: files and directories of the host, with the owner and mode that the template says. */
#ifndef MKAPPLIANCE_COMPOSE_FILES_H
#define MKAPPLIANCE_COMPOSE_FILES_H

#include "compose/compose.h"
#include "compose/merge.h"

/*
 * Adds all of them to @m as layer @number, in the order of the template: names of owners are looked up in
 * what is in the tree by then, so an /etc/passwd that was copied before counts. Adds the inputs to @result.
 */
int files_compose(const struct template *t, struct merge *m, unsigned number, struct compose_result *result,
		  struct error *err);

#endif
