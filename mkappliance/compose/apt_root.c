/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/apt_root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/mem.h"

#define POLICY	      "usr/sbin/policy-rc.d"
#define POLICY_KEPT   POLICY ".mkappliance"
#define POLICY_SCRIPT "#!/bin/sh\nexit 101\n" /* "action forbidden by policy" */

/* As a new installation has it: systemd sets it at the first start. */
#define MACHINE_ID "uninitialized\n"

/* The directory at @root; the parts of the paths below it are links of the root itself at most. */
static int open_root(const char *root, struct error *err)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? error_errno(err, -errno, "%s", root) : fd;
}

int apt_root_begin(const char *root, struct error *err)
{
	_cleanup_close_ int dir = open_root(root, err), fd = -EBADF;

	if (dir < 0)
		return dir;
	if (renameat(dir, POLICY, dir, POLICY_KEPT) < 0 && errno != ENOENT)
		return error_errno(err, -errno, "/" POLICY);
	fd = openat(dir, POLICY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755);
	if (fd < 0)
		return error_errno(err, -errno, "/" POLICY);
	return io_write_full(fd, "/" POLICY, POLICY_SCRIPT, strlen(POLICY_SCRIPT), err);
}

static int end_policy(int dir, struct error *err)
{
	if (unlinkat(dir, POLICY, 0) < 0 && errno != ENOENT)
		return error_errno(err, -errno, "/" POLICY);
	if (renameat(dir, POLICY_KEPT, dir, POLICY) < 0 && errno != ENOENT)
		return error_errno(err, -errno, "/" POLICY);
	return 0;
}

/* Files of directory @path whose names match @pattern: how many; no directory is none. */
static unsigned remove_files(int root, const char *path, const char *pattern)
{
	int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	unsigned count = 0;
	struct dirent *de;

	while (dir && (de = readdir(dir)))
		if (fnmatch(pattern, de->d_name, 0) == 0 &&
		    unlinkat(dirfd(dir), de->d_name, 0) == 0) /* a directory stays */
			count++;
	return count;
}

/* A machine-id that a script made up would be the same on every machine, and another in each build. */
static int reset_machine_id(int root, struct error *err)
{
	_cleanup_buf_ struct buf id = {0};
	_cleanup_close_ int fd = -EBADF;
	struct error ignored = ERROR_INIT;
	struct stat st;

	if (fstatat(root, "etc/machine-id", &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if (io_read_file(root, "etc/machine-id", 4096, &id, &ignored) < 0 || id.len == 0 ||
	    strcmp(id.ptr, MACHINE_ID) == 0)
		return 0;
	fd = openat(root, "etc/machine-id", O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, -errno, "/etc/machine-id");
	return io_write_full(fd, "/etc/machine-id", MACHINE_ID, strlen(MACHINE_ID), err);
}

int apt_root_end(const char *root, struct error *err)
{
	static const char *const files[] = {
		"var/log/dpkg.log",
		"var/log/alternatives.log",
		"var/log/apt/history.log",
		"var/log/apt/term.log",
		"var/log/apt/eipp.log.xz",
		"var/cache/apt/pkgcache.bin",
		"var/cache/apt/srcpkgcache.bin",
		"var/cache/ldconfig/aux-cache",
		"var/lib/systemd/random-seed",
	};
	_cleanup_close_ int dir = open_root(root, err);
	int r;

	if (dir < 0)
		return dir;
	r = end_policy(dir, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)unlinkat(dir, files[i], 0);
	(void)remove_files(dir, "var/lib/dpkg", "*-old");
	(void)remove_files(dir, "var/cache/debconf", "*-old");
	(void)remove_files(dir, "var/cache/apt/archives", "*.deb");
	if (remove_files(dir, "etc/ssh", "ssh_host_*"))
		log_warning(NO_HOST_KEYS);
	return reset_machine_id(dir, err);
}
