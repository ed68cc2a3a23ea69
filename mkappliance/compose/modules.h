/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernel modules need which: modules.dep(5) and modules.builtin, parsed and put in loading order. */
#ifndef MKAPPLIANCE_COMPOSE_MODULES_H
#define MKAPPLIANCE_COMPOSE_MODULES_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"
#include "lib/mem.h"

struct modules;

/* The two files' text; @name is the release, for messages. Bounded in modules, dependencies and depth. */
int modules_parse(const char *dep, size_t dep_len, const char *builtin, size_t builtin_len, const char *name,
		  struct modules **ret, struct error *err);
void modules_free(struct modules *m);
void modules_freep(struct modules **m);
#define _cleanup_modules_ __attribute__((cleanup(modules_freep)))

/*
 * Appends to @paths what has to be loaded for module @module, dependencies first, each once: paths relative
 * to lib/modules/RELEASE, as modules.dep has them. '-' and '_' are the same. A module that is built in, or
 * whose path is there already, adds nothing; an unknown one is an error unless @optional.
 */
int modules_resolve(struct modules *m, const char *module, bool optional, struct strlist *paths,
		    struct error *err);

/* Appends the names of @module and of all that it needs, and sorts @names; else as modules_resolve(). */
int modules_needs(struct modules *m, const char *module, bool optional, struct strlist *names,
		  struct error *err);

/* "kernel/drivers/block/virtio-blk.ko.xz" gives "virtio_blk". To be freed. */
char *module_name_of(const char *path, size_t len);

#endif
