/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Presets (systemd.preset(5)) in Mode=system. On a server the package's script or systemd itself, at its first start, enables what they
 * say; here the root cannot be written to then, so it is done in the tree.
 */
#ifndef MKAPPLIANCE_COMPOSE_PRESETS_H
#define MKAPPLIANCE_COMPOSE_PRESETS_H

#include "compose/merge.h"

/*
 * Enables and disables the units of @m that a preset names, as part of layer @number. What no preset names stays as its package left it;
 * so do those that only "disable *" would name, and systemd's own 90-systemd.preset, which its package has applied, does not count.
 */
int presets_apply(struct merge *m, unsigned number, struct error *err);

#endif
