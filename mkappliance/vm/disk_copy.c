/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/disk_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/mem.h"

#define CHUNK ((size_t)1 << 20)

static int copy_range(int in, int out, const char *from, const char *to, off_t start, off_t end, void *chunk,
		      struct error *err)
{
	while (start < end) {
		size_t n = (off_t)CHUNK < end - start ? CHUNK : (size_t)(end - start);
		int r;

		if ((r = interrupt_check(err)) < 0 ||
		    (r = io_pread_full(in, from, chunk, n, (uint64_t)start, err)) < 0 ||
		    (r = io_pwrite_full(out, to, chunk, n, (uint64_t)start, err)) < 0)
			return r;
		start += (off_t)n;
	}
	return 0;
}

static int copy_data(int in, int out, const char *from, const char *to, off_t size, struct error *err)
{
	_cleanup_free_ void *chunk = xmalloc(CHUNK);
	off_t end = 0;

	if (ftruncate(out, size) < 0)
		return error_errno(err, -errno, "%s", to);
	for (;;) {
		off_t start = lseek(in, end, SEEK_DATA);
		int r;

		if (start < 0 && errno == ENXIO)
			return 0; /* nothing but a hole up to the end */
		end = start < 0 ? -1 : lseek(in, start, SEEK_HOLE);
		if (end < 0)
			return error_errno(err, -errno, "%s: looking for holes", from);
		r = copy_range(in, out, from, to, start, end, chunk, err);
		if (r < 0)
			return r;
	}
}

int disk_copy(const char *from, const char *to, int *ret_fd, struct error *err)
{
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
	struct stat st;
	int r = 0;

	if (in < 0 || fstat(in, &st) < 0)
		return error_errno(err, -errno, "%s", from);
	out = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (out < 0)
		return error_errno(err, -errno, "%s", to);
	if (ioctl(out, FICLONE, in) < 0)
		r = copy_data(in, out, from, to, st.st_size, err);
	if (r < 0) {
		(void)unlink(to);
		return r;
	}
	*ret_fd = steal_fd(&out);
	return 0;
}
