/* SPDX-License-Identifier: Apache-2.0 */
/* /appliance.conf: what the init is told (format: image/abi.h). */
#ifndef MKAPPLIANCE_IMAGE_CONF_H
#define MKAPPLIANCE_IMAGE_CONF_H

#include "compose/compose.h"
#include "image/layout.h"
#include "image/verity.h"
#include "lib/mem.h"

/*
 * Renders it. Users and groups are looked up in the tree's /etc/passwd and /etc/group; the application must exist in the tree and be
 * executable. Appends to @ret. @command_line is the final one.
 */
int conf_render(const struct template *t, const struct compose_result *c, const struct layout *l,
		const struct verity_superblock *sb, const struct sha256 *root_hash, const char *command_line,
		struct buf *ret, struct error *err);

#endif
