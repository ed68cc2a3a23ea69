/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit= of [Init] and of each [Service NAME]: what a unit of the tree says of its start-up becomes what the section says, where the
 * template does not say it itself.
 */
#ifndef MKAPPLIANCE_COMPOSE_UNIT_START_H
#define MKAPPLIANCE_COMPOSE_UNIT_START_H

#include "compose/merge.h"
#include "template/template.h"

/*
 * Nothing without Unit=. Fills the fields of each service, and adds the directories of RuntimeDirectory= and its siblings to the tree as part of
 * layer @number. What cannot be done is a usage error that names file, line and key.
 */
int unit_start(struct template *t, struct merge *m, unsigned number, struct error *err);

#endif
