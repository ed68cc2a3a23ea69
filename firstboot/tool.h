/* SPDX-License-Identifier: Apache-2.0 */
/* A program of the verified root that the init itself needs, run to its end as root: e2fsck, mke2fs. */
#ifndef FIRSTBOOT_TOOL_H
#define FIRSTBOOT_TOOL_H

#include "events.h"
#include "line.h"

#define TOOL_SIGNALLED 128 /* and the signal */

/*
 * Runs @argv, an absolute path first and NULL at the end, without input. Returns its exit code, TOOL_SIGNALLED + N after
 * signal N, -errno when it cannot be run or the machine shall stop (-EINTR; it is killed then). *ret_last is the end of
 * what it said.
 */
int tool_run(const char *const *argv, struct events *e, struct line *ret_last);

#endif
