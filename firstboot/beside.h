/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done beside process 1 where there is a second processor: one child does some parts in their order, and process 1 waits for
 * each where it needs it. Where there is one processor only, process 1 does the part itself at that place. Either way process 1
 * tells what failed, at the same place and in the same words.
 *
 * The child has its own memory: what a part finds out is its value. Its root directory is at any time that of process 1.
 */
#ifndef FIRSTBOOT_BESIDE_H
#define FIRSTBOOT_BESIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"

struct beside_part {
	int (*work)(const struct conf *c, struct line *why); /* its value, or -errno and what failed */
	bool of_root;					     /* not before beside_root() */
	bool not_beside;				     /* process 1 does it itself */
};

/* How many processors we may run on. */
unsigned beside_processors(void);

/* Begins when there are at least two @processors; a kernel that makes no child is as good as one. @parts and @c are kept. */
void beside_begin(const struct beside_part *parts, size_t count, unsigned processors, const struct conf *c);

/* "/" is what the parts of_root want. */
void beside_root(void);

/* Can be read when the child has done the next part; -1: there is no child. */
int beside_fd(void);

/*
 * Each part once, in their order: waits for it or does it. Its value; when that is negative, no other part is there to be had. After
 * the last part the child ends by itself.
 */
int beside_end(size_t part, struct line *why);

/* Waits until it is gone: for who does not reap children anyway. */
void beside_reap(void);

#endif
