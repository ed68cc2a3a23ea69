/* SPDX-License-Identifier: Apache-2.0 */
#include "template/suggest.h"

#include <stdint.h>
#include <string.h>

#define LONGEST 64

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t suggest_distance(const char *a, const char *b)
{
	/* rows[i % 3][j]: from the first i letters of @a to the first j of @b; a swap looks two rows back. */
	size_t rows[3][LONGEST + 1];
	size_t len_a = strnlen(a, LONGEST + 1), len_b = strnlen(b, LONGEST + 1);

	if (len_a > LONGEST || len_b > LONGEST)
		return SIZE_MAX;
	for (size_t j = 0; j <= len_b; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			char x = lower(a[i - 1]), y = lower(b[j - 1]);

			row[j] = least(above[j - 1] + (x != y), least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && x == lower(b[j - 2]) && lower(a[i - 2]) == y)
				row[j] = least(row[j], two_above[j - 2] + 1);
		}
	}
	return rows[len_a % 3][len_b];
}

void suggest_offer(struct suggestion *s, const char *name)
{
	size_t distance = suggest_distance(s->word, name);
	size_t longer = strlen(s->word) > strlen(name) ? strlen(s->word) : strlen(name);

	if (distance > (longer + 2) / 3 || (s->best && distance >= s->distance))
		return;
	s->best = name;
	s->distance = distance;
}
