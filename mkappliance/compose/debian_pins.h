/* SPDX-License-Identifier: Apache-2.0 */
/* build --locked: apt's preferences (apt_preferences(5)) that ask for exactly the versions of an earlier build. */
#ifndef MKAPPLIANCE_COMPOSE_DEBIAN_PINS_H
#define MKAPPLIANCE_COMPOSE_DEBIAN_PINS_H

#include "compose/installed.h"

/* Where the preferences lie while apt works in the tree; removed from it afterwards. */
#define DEBIAN_PINS_PATH "/etc/apt/preferences.d/99mkappliance"

/* Whether they may be written into apt's files and command lines: a manifest may come from anywhere. */
bool debian_may_pin(const char *name, const char *version);

/* A paragraph for each .deb of @l. A version that the archive no longer has is no error of apt's: the build sees it when it compares. */
void debian_pins(const struct installed *l, struct buf *ret);

/* The same in a new private file, whose path is to be freed and unlinked. */
int debian_pins_write(const struct installed *l, char **ret, struct error *err);

#endif
