/* SPDX-License-Identifier: Apache-2.0 */
/* /appliance.conf: what the init is told (format: image/abi.h). */
#ifndef MKAPPLIANCE_IMAGE_CONF_H
#define MKAPPLIANCE_IMAGE_CONF_H

#include "compose/compose.h"
#include "image/layout.h"
#include "image/verity.h"
#include "lib/mem.h"

/* Where kernel modules lie in the initrd, as NAME.ko. */
#define CONF_MODULE_DIR "/modules"

/*
 * Renders it. Users and groups are looked up in the tree's /etc/passwd and /etc/group; the application must
 * exist in the tree and be executable, WorkingDirectory= and Writable= must be directories. Appends to @ret.
 * @command_line is the final one. Usage errors name the template and the key.
 */
int conf_render(const struct template *t, const struct compose_result *c, const struct layout *l,
		const struct verity_superblock *sb, const struct sha256 *root_hash, const char *command_line,
		struct buf *ret, struct error *err);

#endif
