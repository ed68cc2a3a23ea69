/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MKAPPLIANCE_LIB_ZERO_H
#define MKAPPLIANCE_LIB_ZERO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Whether all @len bytes (at least 16) are zero. The first ones decide nearly always; after them memcmp()
 * compares the range with itself, shifted.
 */
static inline bool is_zero(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t first[2];

	memcpy(first, p, sizeof(first));
	return (first[0] | first[1]) == 0 && memcmp(p, p + sizeof(first), len - sizeof(first)) == 0;
}

#endif
