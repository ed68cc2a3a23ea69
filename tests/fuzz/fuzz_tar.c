/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of tars and the merge of layers. Byte 0 of the input: bit 0 makes the checksum of every block
 * that has the magic of a header right, so that a change to a header is not just a wrong checksum; bit 1
 * merges the layer over itself.
 */
#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/merge.h"
#include "compose/tar.h"
#include "lib/cleanup.h"

static void seal(uint8_t *block)
{
	unsigned sum = 0;

	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += block[i];
	for (int i = 5; i >= 0; i--, sum >>= 3)
		block[148 + i] = (uint8_t)('0' + (sum & 7));
	block[154] = 0;
}

static int index_copy(const uint8_t *data, size_t len, struct layer *ret)
{
	struct error err = ERROR_INIT;

	ret->name = xstrdup("fuzz");
	ret->fd = memfd_create("fuzz", MFD_CLOEXEC);
	assert(ret->fd >= 0);
	assert(write(ret->fd, data, len) == (ssize_t)len);
	return tar_index(ret->fd, ret->name, ret, &err);
}

/* What the tree promises to those who read it. */
static void check_tree(const struct tree *t)
{
	struct error err = ERROR_INIT;

	assert(t->len > 0 && t->entries[0]->path[0] == 0);
	for (size_t i = 0; i < t->len; i++) {
		const struct tree_entry *e = t->entries[i];
		char edge[64];
		size_t n = e->size < sizeof(edge) ? (size_t)e->size : sizeof(edge);

		assert(i == 0 || tree_path_compare(t->entries[i - 1]->path, e->path) < 0);
		assert(e->path[0] != '/' && !strstr(e->path, "//"));
		assert(!S_ISLNK(e->mode) || e->target);
		assert(!e->hardlink || (!e->hardlink->hardlink && e->hardlink->nlink > 1));
		if (!S_ISREG(e->mode))
			continue;
		assert(tree_read(t, e, 0, edge, n, &err) == 0);
		assert(tree_read(t, e, e->size - n, edge, n, &err) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_merge_ struct merge *m = merge_new();
	_cleanup_free_ uint8_t *copy = NULL;
	_cleanup_tree_ struct tree *t = NULL;
	struct error err = ERROR_INIT;
	uint8_t flags;
	int r = 0;

	if (len == 0)
		return 0;
	flags = data[0];
	copy = xmemdup(data + 1, --len);
	for (size_t i = 0; (flags & 1) && i + TAR_BLOCK <= len; i += TAR_BLOCK)
		if (memcmp(copy + i + 257, "ustar", 5) == 0)
			seal(copy + i);
	for (unsigned i = 0; r == 0 && i <= (flags >> 1 & 1); i++) {
		_cleanup_layer_ struct layer l = LAYER_INIT;

		r = index_copy(copy, len, &l);
		if (r == 0)
			r = merge_layer(m, &l, i, i ? MERGE_KEEP_LINKS : 0, &err);
	}
	if (r < 0)
		return 0;
	t = merge_finish(m, 1);
	check_tree(t);
	return 0;
}
