/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may go: images of ours beyond the newest few that nothing refers to, with their snapshots, and snapshots of uploads that never
 * became an image. Ours is what has the tag mkappliance=1 and belongs to the account. First a plan, then its execution.
 */
#ifndef MKAPPLIANCE_CLOUD_GC_H
#define MKAPPLIANCE_CLOUD_GC_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "cloud/aws_ec2.h"

struct gc_options {
	unsigned keep; /* of each name and architecture the newest so many stay */
	unsigned
		older_h; /* a snapshot without an image, and an image that failed, must be so old: it may still be on its way */
	bool shared;	  /* those that other accounts may launch go too */
	const char *name; /* only images and snapshots of this appliance; NULL: all of ours */
};

enum gc_verdict { GC_KEEP, GC_REMOVE, GC_REMOVED, GC_FAILED };

const char *gc_verdict_name(enum gc_verdict v); /* "keep", "remove", "removed", "failed" */

struct gc_item {
	char *region;
	char *id;
	bool image;
	char *name, *version; /* "" when the tags do not say */
	char *created;
	uint32_t gib;
	struct strlist snapshots; /* of an image: those that go with it */
	enum gc_verdict verdict;
	char *why; /* one line */
};

struct gc_plan {
	struct gc_item *items; /* images by name and age, then snapshots */
	size_t len, cap;
};

void gc_plan_free(struct gc_plan *p);
#define _cleanup_gc_plan_ __attribute__((cleanup(gc_plan_free)))

/* The decision by itself; appends to @ret. @images: all of our own in the region, newest first; @snapshots: those with our tag. */
void gc_decide(const char *region, const struct ec2_images *images, const struct ec2_snapshots *snapshots,
	       const struct ec2_uses *uses, const struct gc_options *o, time_t now, struct gc_plan *ret);

/* Asks about one region and decides. */
int gc_region(struct aws *a, const char *region, const struct gc_options *o, struct gc_plan *ret,
	      struct error *err);

size_t gc_count(const struct gc_plan *p, enum gc_verdict v);

/*
 * Removes what is to be removed, and marks it. What fails is marked and the rest goes on, but a missing permission or a signal ends it; the error
 * is the first one.
 */
int gc_carry_out(struct aws *a, struct gc_plan *p, struct error *err);

#endif
