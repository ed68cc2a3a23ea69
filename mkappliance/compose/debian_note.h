/* SPDX-License-Identifier: Apache-2.0 */
/* What is noted of a base that mmdebstrap made: where its packages came from. */
#ifndef MKAPPLIANCE_COMPOSE_DEBIAN_NOTE_H
#define MKAPPLIANCE_COMPOSE_DEBIAN_NOTE_H

#include "lib/error.h"
#include "lib/mem.h"

/* The note (installed.h) of the tree in the tar @fd, whose indexes of packages apt had in the directory @lists. */
int debian_note(int fd, const char *name, const char *lists, struct buf *note, struct error *err);

#endif
