/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

int io_pread_full(int fd, const char *name, void *buf, size_t len, uint64_t offset, struct error *err)
{
	char *p = buf;

	while (len > 0) {
		ssize_t n = pread(fd, p, len, (off_t)offset);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EISDIR)
				return error_set(err, -EISDIR, "%s: is a directory, a file was to be read",
						 name);
			return error_errno(err, -errno, "%s: reading at byte %ju", name, (uintmax_t)offset);
		}
		if (n == 0)
			return error_set(err, -ENODATA, "%s: ends at byte %ju, %zu more bytes expected", name,
					 (uintmax_t)offset, len);
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int io_write_error(const char *name, int code, struct error *err)
{
	if (code == -ENOSPC || code == -EDQUOT)
		return error_set(err, code,
				 "%s: no space left on the disk; free some or choose another "
				 "directory",
				 name);
	if (code == -EFBIG)
		return error_set(err, code, "%s: larger than the file system or 'ulimit -f' allows", name);
	return error_errno(err, code, "%s: writing", name);
}

int io_pwrite_full(int fd, const char *name, const void *buf, size_t len, uint64_t offset, struct error *err)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return io_write_error(name, -errno, err);
		}
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int io_write_full(int fd, const char *name, const void *buf, size_t len, struct error *err)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return io_write_error(name, -errno, err);
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int io_read_file(int dirfd, const char *path, size_t limit, struct buf *ret, struct error *err)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	_cleanup_buf_ struct buf b = {0};
	size_t chunk = 16384;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "%s", path);
	/* Large ones in one read; below /proc and when a file grows the size is only a guess. */
	if (S_ISREG(st.st_mode) && st.st_size > 0 && (uint64_t)st.st_size < limit)
		chunk = (size_t)st.st_size + 1;
	do {
		n = read(fd, buf_room(&b, chunk), chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, -errno, "%s: reading", path);
		if ((size_t)n > limit - b.len)
			return error_set(err, -EFBIG, "%s: larger than %zu bytes", path, limit);
		b.len += (size_t)n;
		chunk = 16384;
	} while (n != 0);
	buf_free(ret);
	*ret = b;
	b = (struct buf){0};
	if (ret->ptr)
		ret->ptr[ret->len] = 0;
	return 0;
}

int io_make_dirs(const char *path, mode_t mode, struct error *err)
{
	_cleanup_free_ char *copy = xstrdup(path);
	struct stat st;

	for (char *p = copy + 1; *copy; p++) {
		char saved = *p;

		if (saved != '/' && saved != 0)
			continue;
		*p = 0;
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return error_errno(err, -errno, "%s: creating the directory", copy);
		if (saved == 0)
			break;
		*p = saved;
	}
	if (stat(path, &st) < 0)
		return error_errno(err, -errno, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, -ENOTDIR, "%s: a file is in the way, a directory is needed there",
				 path);
	return 0;
}

static int remove_children(int dirfd, dev_t dev, const char *name, struct error *err);

static int remove_at(int dirfd, dev_t dev, const char *name, struct error *err)
{
	struct stat st;
	int r;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return error_errno(err, -errno, "%s: removing", name);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, -errno, "%s: removing", name);
	if (st.st_dev != dev)
		return error_set(err, -EXDEV, "%s: something is mounted there; not removed", name);
	r = remove_children(dirfd, dev, name, err);
	if (r < 0)
		return error_prefix(err, "%s", name);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return error_errno(err, -errno, "%s: removing", name);
	return 0;
}

static int remove_children(int dirfd, dev_t dev, const char *name, struct error *err)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *de;

	if (fd < 0)
		return error_errno(err, -errno, "%s", name);
	dir = fdopendir(fd);
	if (!dir) {
		int code = -errno;

		(void)close(fd);
		return error_errno(err, code, "%s", name);
	}
	while ((errno = 0, de = readdir(dir))) {
		int r;

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		r = remove_at(fd, dev, de->d_name, err);
		if (r < 0)
			return r;
	}
	if (errno)
		return error_errno(err, -errno, "%s: listing", name);
	return 0;
}

int io_remove_tree(const char *path, struct error *err)
{
	struct stat st;

	if (lstat(path, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		return error_errno(err, -errno, "%s", path);
	}
	return remove_at(AT_FDCWD, st.st_dev, path, err);
}
