/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "file.h"

uint64_t clock_ms(void)
{
	struct timespec now = {0};

	/* Cannot fail: the clock exists and the pointer is ours. */
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int file_read(int at, const char *path, char *buf, size_t size, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n;
	int fd = openat(at, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, buf + len, size - len);
		if (n > 0)
			len += (size_t)n;
	} while ((n > 0 && len < size) || (n < 0 && errno == EINTR));
	if (n < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	close(fd);
	if (len >= size)
		return -EFBIG;
	buf[len] = '\0';
	if (ret_len)
		*ret_len = len;
	return 0;
}

int file_read_number(int at, const char *path, uint64_t *ret)
{
	char text[32];
	uint64_t v = 0;
	size_t i;
	int r = file_read(at, path, text, sizeof text, NULL);

	if (r < 0)
		return r;
	for (i = 0; text[i] >= '0' && text[i] <= '9'; i++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(text[i] - '0'), &v))
			return -ERANGE;
	if (i == 0 || (text[i] != '\n' && text[i] != '\0'))
		return -EINVAL;
	*ret = v;
	return 0;
}

int file_pread(int fd, void *buf, size_t len, uint64_t offset)
{
	char *p = buf;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int file_write(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	if (fd < 0)
		return -errno;
	r = file_write(fd, text, strlen(text));
	close(fd);
	return r;
}

/* What getdents64(2) fills in. */
struct kernel_dirent {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

int dir_open(struct dir *d, int at, const char *path)
{
	d->len = 0;
	d->pos = 0;
	d->fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return d->fd < 0 ? -errno : 0;
}

int dir_next(struct dir *d, const char **ret_name, unsigned char *ret_type)
{
	for (;;) {
		const struct kernel_dirent *e;

		if (d->pos >= d->len) {
			long n = syscall(SYS_getdents64, d->fd, d->buf, sizeof d->buf);

			if (n <= 0)
				return n < 0 ? -errno : 0;
			d->len = (size_t)n;
			d->pos = 0;
		}
		e = (const void *)(d->buf + d->pos);
		d->pos += e->reclen;
		if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
			continue;
		*ret_name = e->name;
		*ret_type = e->type;
		return 1;
	}
}

void dir_close(struct dir *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}
