/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the nearest of the names that exist. */
#ifndef MKAPPLIANCE_TEMPLATE_SUGGEST_H
#define MKAPPLIANCE_TEMPLATE_SUGGEST_H

#include <stddef.h>

/*
 * The search for the name nearest to @word: suggest_offer() each name, then read @best (borrowed; NULL when
 * none is near: at most one slip in three letters). The first of equals wins.
 */
struct suggestion {
	const char *word;
	const char *best;
	size_t distance;
};

void suggest_offer(struct suggestion *s, const char *name);

/*
 * Letters to insert, remove, replace or swap with their neighbour to come from @a to @b (optimal string
 * alignment); upper and lower case are the same. SIZE_MAX when one of them is longer than 64 bytes.
 */
size_t suggest_distance(const char *a, const char *b);

#endif
