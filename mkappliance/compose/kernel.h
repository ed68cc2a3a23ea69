/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel of an image, and what of its modules goes into initrd and root. */
#ifndef MKAPPLIANCE_COMPOSE_KERNEL_H
#define MKAPPLIANCE_COMPOSE_KERNEL_H

#include "compose/kernel_source.h"
#include "compose/merge.h"

/*
 * The kernel of @s, or, when nothing was found by kernel_source_open(), that of the base in @m: fills result->kernel, and adds its modules to
 * @m as layer @number: all of them for Mode=system, those of kernel->root for Mode=appliance (in which the base's own are removed). What the
 * base has in /boot to be booted by others is removed. Adds the inputs to @result.
 */
int kernel_compose(const struct template *t, struct kernel_source *s, struct merge *m, unsigned number,
		   struct compose_result *result, struct error *err);

/*
 * Takes out of the initrd what a root of that many bytes is not worth loading for: what only reads it faster. What @named lists
 * ([Kernel] InitrdModules=) stays.
 */
void kernel_fit(struct kernel *k, const struct strlist *named, uint64_t bytes);

void kernel_free(struct kernel *k);

#endif
