/* SPDX-License-Identifier: Apache-2.0 */
/* Between cmd_rebuild*.c only. */
#ifndef MKAPPLIANCE_CMD_REBUILD_H
#define MKAPPLIANCE_CMD_REBUILD_H

#include "cmd.h"
#include "image/refresh.h"

/* rebuild --refresh: says what is newer, builds, tests. @test: whether the new image is booted. */
int rebuild_refresh(const struct refresh_options *o, bool test, const struct common_options *common,
		    struct error *err);

#endif
