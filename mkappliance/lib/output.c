/* SPDX-License-Identifier: Apache-2.0 */
/* Output files that appear whole or not at all; declared in lib/io.h. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"

static char *directory_of(const char *path)
{
	_cleanup_free_ char *copy = xstrdup(path);

	return xstrdup(dirname(copy));
}

/*
 * A name of ours beside @path. Another one for each @attempt: in containers all have the same process id, and
 * one that was killed may have left its file behind.
 */
#define TEMP_ATTEMPTS 100

static char *temp_name(const char *path, unsigned attempt)
{
	return xasprintf("%s.%ld-%u.part", path, (long)getpid(), attempt);
}

/* For file systems without O_TMPFILE. The descriptor or -errno. */
static int create_named(const char *path, char **ret_temp)
{
	for (unsigned i = 0; i < TEMP_ATTEMPTS; i++) {
		_cleanup_free_ char *temp = temp_name(path, i);
		int fd = open(temp, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0644);

		if (fd >= 0) {
			*ret_temp = steal_pointer(&temp);
			return fd;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

int output_open(const char *path, struct output *ret, struct error *err)
{
	_cleanup_free_ char *dir = directory_of(path);
	char *temp = NULL;
	struct stat st;
	int fd;

	/* A device would be replaced: /dev/stdout, by root. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return error_set(err, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL,
				 "%s: is a %s, a file was to be written there", path,
				 S_ISDIR(st.st_mode) ? "directory" : "device, pipe or socket");
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
	if (fd < 0)
		fd = errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL ? create_named(path, &temp)
									       : -errno;
	if (fd < 0)
		return error_errno(err, fd, "%s: creating a file there", dir);
	ret->fd = fd;
	ret->path = xstrdup(path);
	ret->temp = temp;
	return 0;
}

int output_check(const char *path, struct error *err)
{
	_cleanup_output_ struct output out = OUTPUT_INIT;

	return path ? output_open(path, &out, err) : 0;
}

/* Gives a file without a name its own. When that is taken, a temporary one, and rename() then replaces the old file atomically. */
static int give_name(struct output *out, struct error *err)
{
	char proc[64];

	if (out->temp)
		return 0;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", out->fd);
	if (linkat(AT_FDCWD, proc, AT_FDCWD, out->path, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	if (errno != EEXIST)
		return io_write_error(out->path, -errno, err);
	for (unsigned i = 0; i < TEMP_ATTEMPTS; i++) {
		_cleanup_free_ char *temp = temp_name(out->path, i);

		if (linkat(AT_FDCWD, proc, AT_FDCWD, temp, AT_SYMLINK_FOLLOW) == 0) {
			out->temp = steal_pointer(&temp);
			return 0;
		}
		if (errno != EEXIST)
			return error_errno(err, -errno, "%s: creating", temp);
	}
	return error_set(err, -EEXIST, "%s: left-over files '%s.*.part' are in the way; remove them",
			 out->path, out->path);
}

int output_sync(struct output *out, struct error *err)
{
	if (fsync(out->fd) < 0)
		return io_write_error(out->path, -errno, err);
	return 0;
}

int output_lock_directory(const char *path, int *ret, struct error *err)
{
	_cleanup_free_ char *dir = directory_of(path);
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, -errno, "%s", dir);
	/* Any other error is of a file system that knows no locks. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
		log_note("%s: locked by another build, or by another program (flock); waiting", dir);
		while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
			if (interrupt_check(err) < 0)
				return err->code;
	}
	*ret = steal_fd(&fd);
	return 0;
}

int output_sync_directory(const char *path, struct error *err)
{
	_cleanup_free_ char *dir = directory_of(path);
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, -errno, "%s", dir);
	/* EINVAL: a file system that knows no such thing. */
	if (fsync(fd) < 0 && errno != EINVAL)
		return io_write_error(dir, -errno, err);
	return 0;
}

int output_commit(struct output *out, bool sync, struct error *err)
{
	int r = sync ? output_sync(out, err) : 0;

	if (r < 0)
		return r;
	r = give_name(out, err);
	if (r < 0)
		return r;
	if (close(steal_fd(&out->fd)) < 0) {
		int code = -errno;

		if (!out->temp)
			(void)unlink(out->path);
		return io_write_error(out->path, code, err);
	}
	/* Point of no return. */
	if (out->temp && rename(out->temp, out->path) < 0)
		return error_errno(err, -errno, "%s: renaming to '%s'", out->temp, out->path);
	free(steal_pointer(&out->temp));
	output_abort(out);
	return 0;
}

void output_abort(struct output *out)
{
	int saved = errno;

	if (out->fd >= 0)
		(void)close(out->fd);
	if (out->temp)
		(void)unlink(out->temp);
	free(out->temp);
	free(out->path);
	*out = OUTPUT_INIT;
	errno = saved;
}

int output_write_file(const char *path, const void *data, size_t len, struct error *err)
{
	_cleanup_output_ struct output out = OUTPUT_INIT;
	int r;

	r = output_open(path, &out, err);
	if (r < 0)
		return r;
	r = io_write_full(out.fd, path, data, len, err);
	if (r < 0)
		return r;
	r = output_commit(&out, true, err);
	return r < 0 ? r : output_sync_directory(path, err);
}
