/* SPDX-License-Identifier: Apache-2.0 */
/* The programs that run to their end before the application: Before= (image/abi.h). */
#ifndef FIRSTBOOT_BEFORE_H
#define FIRSTBOOT_BEFORE_H

#include "conf.h"
#include "events.h"

/*
 * Runs one after the other, and what each left behind ends with it. One that fails, and need not succeed, or all of them taking
 * longer than ReadyTimeout= fails the boot. Returns early when the machine shall stop: e->stop says why.
 */
void before_run_all(const struct conf *c, struct events *e);

#endif
