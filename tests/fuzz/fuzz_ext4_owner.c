/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of a damaged file system. Input: patches of a small good one, each 3 bytes of address (little
 * endian), a length (1 to 16) and that many bytes. The owner of some blocks is asked for; any answer will do.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/ext4.h"
#include "lib/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct tree_entry *add(struct tree *t, const char *path, mode_t mode)
{
	struct tree_entry *e = xcalloc(1, sizeof(*e));

	e->path = xstrdup(path);
	e->mode = mode;
	array_grow(t->entries, t->len, t->cap);
	t->entries[t->len++] = e;
	return e;
}

/* A directory in a directory, a file, and one whose extent tree has a node of its own. */
static void make_image(uint8_t **ret, size_t *ret_len)
{
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_ext4_ struct ext4 *fs = NULL;
	struct ext4_params params = {.label = ""};
	struct error err = ERROR_INIT;
	struct tree_entry *e;

	add(t, "usr", S_IFDIR | 0755);
	add(t, "usr/bin", S_IFDIR | 0755);
	e = add(t, "usr/bin/hello", S_IFREG | 0755);
	e->size = 9000;
	e->origin = ORIGIN_FD;
	e = add(t, "usr/sparse", S_IFREG | 0755);
	e->size = 100000;
	e->origin = ORIGIN_FD;
	e->run_count = 6;
	e->runs = xcalloc(6, sizeof(*e->runs));
	for (unsigned i = 0; i < 6; i++)
		e->runs[i] = (struct tree_run){.offset = i * 10000, .length = 1};
	if (ext4_plan(t, &params, &fs, &err) < 0)
		abort();
	*ret_len = ext4_size(fs);
	*ret = xcalloc(1, *ret_len);
	for (size_t i = 0; i < ext4_extents(fs)->len; i++) {
		const struct extent *x = &ext4_extents(fs)->ptr[i];

		if (x->memory)
			memcpy(*ret + x->offset, x->memory, x->length);
	}
}

static void patch(uint8_t *image, size_t size, const uint8_t *data, size_t len)
{
	while (len >= 5) {
		size_t at = ((size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16) % size;
		size_t n = data[3] % 16 + 1;

		data += 4;
		len -= 4;
		n = n < len ? n : len;
		if (at + n <= size)
			memcpy(image + at, data, n);
		data += n;
		len -= n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t *image, *copy;
	static size_t size;
	static int fd = -1;

	if (fd < 0) {
		make_image(&image, &size);
		copy = xmalloc(size);
		fd = memfd_create("image", MFD_CLOEXEC);
	}
	memcpy(copy, image, size);
	patch(copy, size, data, len);
	if (pwrite(fd, copy, size, 0) != (ssize_t)size)
		abort();
	for (uint64_t block = 0; block < size / 4096; block += 13)
		free(ext4_block_owner(fd, 0, block));
	free(ext4_block_owner(fd, 0, size / 4096 - 1));
	return 0;
}
