/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of compose_run(), between the files that do its steps: the order of them is in compose.c, the base in compose_base.c, what is put
 * on it in compose_packages.c.
 */
#ifndef MKAPPLIANCE_COMPOSE_COMPOSE_STEPS_H
#define MKAPPLIANCE_COMPOSE_COMPOSE_STEPS_H

#include "compose/compose_internal.h"
#include "compose/kernel_source.h"
#include "compose/merge.h"
#include "compose/oci_image.h"

struct compose {
	struct template *t;
	const struct compose_options *o;
	struct cache cache;
	struct merge *m;
	struct cached base; /* Source=debian and rpm: what packages are installed on */
	unsigned number;    /* of the layer that comes next */
	struct kernel_source kernel;
	struct oci_config start; /* of the last container image */
	char *start_name;	 /* NULL: there is none */
	struct compose_result result;
};

/* [Base]: its layer or layers, from number 0 on. The numbers are the order of content in the image: what changes least lies first. */
int compose_add_base(struct compose *c, struct error *err);

/* Before anything is made: refuses the files of [Package] that only another source can install. */
int compose_check_packages(const struct compose *c, struct error *err);

/*
 * [Package]: on Source=debian .debs are installed by apt, .rpms by dnf, all at once, and before the others: they may need one another. A layer
 * for each step, from c->number on.
 */
int compose_add_packages(struct compose *c, struct error *err);

/* A layer that a package manager made. Takes over what it noted; @cached stays the caller's. */
int compose_add_cached(struct compose *c, const struct cached *cached, const char *name, unsigned number,
		       unsigned flags, struct error *err);

/* What is to be run is known when all files are there: takes the configuration of @image, which is called @name, for then. */
void compose_take_start(struct compose *c, struct oci_image *image, const char *name);

#endif
