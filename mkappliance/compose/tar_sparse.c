/* SPDX-License-Identifier: Apache-2.0 */
/* The four ways in which GNU tar stores sparse files (tar manual, "Storing Sparse Files"). */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "compose/tar.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define RUNS_MAX 1000000u

/* Old GNU header: four pairs in the header, 21 in each block that follows. */
#define OLD_PAIRS_AT	  386
#define OLD_PAIRS	  4
#define OLD_MORE_AT	  482
#define EXTENSION_PAIRS	  21
#define EXTENSION_MORE_AT 504

bool tar_map_add(struct tar_map *map, uint64_t offset, uint64_t length)
{
	if (map->len >= RUNS_MAX)
		return false;
	array_grow(map->runs, map->len, map->cap);
	map->runs[map->len++] = (struct tree_run){.offset = offset, .length = length};
	return true;
}

const char *tar_map_check(struct tar_map *map, uint64_t size, uint64_t stored)
{
	uint64_t end = 0, sum = 0;
	size_t kept = 0;

	for (size_t i = 0; i < map->len; i++) {
		struct tree_run run = map->runs[i];

		if (run.offset < end || run.offset > size || run.length > size - run.offset)
			return "has a sparse map that does not fit its size";
		end = run.offset + run.length;
		run.stored = sum;
		sum += run.length; /* runs do not overlap: the sum is at most size */
		if (run.length)
			map->runs[kept++] = run;
	}
	map->len = kept;
	return sum == stored ? NULL : "has a sparse map that does not match its content";
}

/* Pairs of 12-byte numbers until an empty one. */
static bool old_pairs(const char *p, unsigned count, struct tar_map *map)
{
	for (unsigned i = 0; i < count; i++, p += 24) {
		uint64_t offset, length;

		if (p[0] == 0)
			return true;
		if (!tar_number(p, 12, &offset) || !tar_number(p + 12, 12, &length) ||
		    !tar_map_add(map, offset, length))
			return false;
	}
	return true;
}

int tar_sparse_old(int fd, const char *name, const char *block, uint64_t *pos, struct tar_map *map,
		   struct error *err)
{
	char extension[TAR_BLOCK];
	bool more = block[OLD_MORE_AT] != 0;
	bool good = old_pairs(block + OLD_PAIRS_AT, OLD_PAIRS, map);

	while (good && more) {
		int r = io_pread_full(fd, name, extension, sizeof(extension), *pos, err);

		if (r < 0)
			return r;
		*pos += sizeof(extension);
		good = old_pairs(extension, EXTENSION_PAIRS, map);
		more = extension[EXTENSION_MORE_AT] != 0;
	}
	return good ? 0 : error_set(err, -EINVAL, "%s: a sparse map is not one", name);
}

bool tar_sparse_list(const char *text, size_t len, struct tar_map *map)
{
	uint64_t pair[2];
	unsigned have = 0;

	while (len > 0) {
		const char *comma = memchr(text, ',', len);
		size_t n = comma ? (size_t)(comma - text) : len;

		if (!tar_decimal(text, n, &pair[have++]))
			return false;
		if (have == 2 && !tar_map_add(map, pair[0], pair[1]))
			return false;
		have %= 2;
		n += comma != NULL;
		text += n;
		len -= n;
	}
	return have == 0;
}

/* Reads lines of digits from the archive. */
struct line_reader {
	int fd;
	const char *name;
	uint64_t pos, end;
	char block[TAR_BLOCK];
	size_t used, have;
};

static int next_number(struct line_reader *l, uint64_t *ret, struct error *err)
{
	char digits[20];
	size_t n = 0;

	for (;;) {
		char c;

		if (l->used == l->have) {
			int r;

			if (l->end - l->pos < TAR_BLOCK)
				return error_set(err, -EINVAL, "%s: a sparse map has no end", l->name);
			r = io_pread_full(l->fd, l->name, l->block, TAR_BLOCK, l->pos, err);
			if (r < 0)
				return r;
			l->pos += TAR_BLOCK;
			l->used = 0;
			l->have = TAR_BLOCK;
		}
		c = l->block[l->used++];
		if (c == '\n')
			break;
		if (n == sizeof(digits))
			return error_set(err, -EINVAL, "%s: a sparse map is not one", l->name);
		digits[n++] = c;
	}
	if (!tar_decimal(digits, n, ret))
		return error_set(err, -EINVAL, "%s: a sparse map is not one", l->name);
	return 0;
}

int tar_sparse_front(int fd, const char *name, uint64_t pos, uint64_t len, struct tar_map *map,
		     uint64_t *ret_len, struct error *err)
{
	struct line_reader l = {.fd = fd, .name = name, .pos = pos, .end = pos + len};
	uint64_t count, offset = 0, length = 0;
	int r;

	r = next_number(&l, &count, err);
	if (r < 0)
		return r;
	if (count > RUNS_MAX)
		return error_set(err, -EFBIG, "%s: a sparse map of more than %u runs", name, RUNS_MAX);
	for (uint64_t i = 0; i < count; i++) {
		r = next_number(&l, &offset, err);
		if (r == 0)
			r = next_number(&l, &length, err);
		if (r < 0)
			return r;
		(void)tar_map_add(map, offset, length); /* count was checked */
	}
	*ret_len = l.pos - pos;
	return 0;
}
