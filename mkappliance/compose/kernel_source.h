/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a kernel comes from: a package of its own or files of the host, both of which can be looked at before there is a base, or
 * the tree of the base.
 */
#ifndef MKAPPLIANCE_COMPOSE_KERNEL_SOURCE_H
#define MKAPPLIANCE_COMPOSE_KERNEL_SOURCE_H

#include "compose/cache.h"
#include "compose/compose.h"
#include "compose/layer.h"
#include "compose/merge.h"
#include "compose/modules.h"

#define KERNEL_INPUTS 2

struct kernel_source {
	const struct merge *m;	    /* the tree that has it: the base's (borrowed), or @own */
	struct merge *own;	    /* NULL: the kernel is the base's */
	struct layer modules_layer; /* Mode=system, and not the base's: all of the modules */
	char *release;
	char *dir; /* "usr/lib/modules/RELEASE" in @m; NULL: it has no modules */
	struct modules *modules;
	struct compose_input inputs[KERNEL_INPUTS]; /* for the manifest, where it is not the base's */
	size_t input_count;
};

#define KERNEL_SOURCE_INIT ((struct kernel_source){.modules_layer = LAYER_INIT})

/*
 * The kernel that [Kernel] Package= or Image= names, without its base; fills path and image of @k. *@ret_found false: the template names
 * none, so it is in the base.
 */
int kernel_source_open(const struct template *t, const struct cache *cache, struct kernel_source *s,
		       struct kernel *k, bool *ret_found, struct error *err);

/* The one kernel in the base @m, which @s borrows. Of a disk image only the newest stays there. */
int kernel_source_of_base(const struct template *t, struct merge *m, const char *modules_root,
			  struct kernel_source *s, struct kernel *k, struct error *err);

void kernel_source_free(struct kernel_source *s);
#define _cleanup_kernel_source_ __attribute__((cleanup(kernel_source_free)))

#endif
