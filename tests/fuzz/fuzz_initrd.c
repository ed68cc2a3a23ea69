/* SPDX-License-Identifier: Apache-2.0 */
/* initrd: what is taken must be just what we would have written. */
#include <stdlib.h>
#include <string.h>

#include "image/initrd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct members {
	struct initrd_file *ptr;
	size_t len;
	size_t cap;
};

static int keep(const struct initrd_file *file, void *user, struct error *err)
{
	struct members *m = user;

	(void)err;
	array_grow(m->ptr, m->len, m->cap);
	m->ptr[m->len++] = *file;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_buf_ struct buf again = {0};
	struct error err = ERROR_INIT;
	struct members m = {0};

	if (initrd_read(data, len, keep, &m, &err) == 0) {
		initrd_write(m.ptr, m.len, &again);
		if (again.len != len || memcmp(again.ptr, data, len) != 0)
			abort();
	}
	free(m.ptr);
	return 0;
}
