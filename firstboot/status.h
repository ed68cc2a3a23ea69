/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The status port: who connects and sends a GET, to whatever path, gets one JSON object: name, version, root hash, state, seconds
 * since the kernel started. 200 while the machine is ready, 503 before, after, and while a service is started again. Nothing can be
 * changed here. Few connections at a time and each for a few seconds, whatever the other side does.
 */
#ifndef FIRSTBOOT_STATUS_H
#define FIRSTBOOT_STATUS_H

#include <stddef.h>

#include "conf.h"
#include "events.h"

#define STATUS_REQUEST_MAX 2048 /* bytes of a request's head */

enum status_state { STATUS_STARTING, STATUS_READY, STATUS_DRAINING, STATUS_STOPPING };

/* Listens when the configuration has StatusPort=; a part of the loop of @e from then on. Fails the boot when it cannot.
 * @state is asked for each answer. */
void status_start(const struct conf *c, struct events *e, enum status_state (*state)(void));

/* What a request is worth: 0 (more must come), 200 (a GET or HEAD, its head complete), 400, 405 or 431. Pure. */
unsigned status_judge(const char *text, size_t len);

#endif
