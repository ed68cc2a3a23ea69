/* SPDX-License-Identifier: Apache-2.0 */
/* A piece of the disk in memory, put together from the extents that it touches. */
#ifndef MKAPPLIANCE_IMAGE_GATHER_H
#define MKAPPLIANCE_IMAGE_GATHER_H

#include <stdbool.h>

#include "image/extent.h"
#include "lib/error.h"

/* Whether any extent touches the @len bytes at @offset. */
bool gather_touches(const struct extent_list *l, uint64_t offset, uint64_t len);

/* Fills @buf with the @len bytes at @offset of the partition; zeros where no extent is. Thread safe. */
int gather(const struct tree *tree, const struct extent_list *l, uint64_t offset, uint8_t *buf, size_t len,
	   struct error *err);

#endif
