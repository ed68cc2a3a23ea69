/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of the host as a layer. */
#ifndef MKAPPLIANCE_COMPOSE_DIRECTORY_H
#define MKAPPLIANCE_COMPOSE_DIRECTORY_H

#include "compose/layer.h"

/*
 * Lists everything below @path, sorted, without following a link: owners, modes, times and extended
 * attributes as they are on the disk. @prefix is put in front of every path in the layer ("" or
 * "usr/lib/modules/6.1"). A socket is an error. The root of the directory is itself an entry.
 */
int directory_list(const char *path, const char *prefix, struct layer *ret, struct error *err);

/* The one regular file @path (a link to it is followed) as @target. */
int directory_list_file(const char *path, const char *target, struct layer *ret, struct error *err);

#endif
