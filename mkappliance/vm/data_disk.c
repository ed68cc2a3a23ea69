/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/data_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "vm/xml.h"

#define SECTOR 512

/* "512M" and the like. */
static bool parse_size(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	const char *unit;
	uint64_t v = 0;

	if (*text < '1' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
			return false;
	unit = *text ? strchr(units, *text) : NULL;
	if (*text && (!unit || text[1]))
		return false;
	for (const char *u = units; unit && u <= unit; u++)
		if (__builtin_mul_overflow(v, 1024, &v))
			return false;
	*ret = v;
	return v % SECTOR == 0 && v <= (uint64_t)INT64_MAX;
}

/* Makes @path when it is not there; *ret_size is what it has then. */
static int make(const char *path, uint64_t size, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 && errno == EEXIST)
		return 0;
	if (fd < 0)
		return error_errno(err, -errno, "--data: %s", path);
	if (ftruncate(fd, (off_t)size) < 0) {
		int r = error_errno(err, -errno, "--data: %s: %llu bytes", path, (unsigned long long)size);

		(void)unlink(path);
		return r;
	}
	return 0;
}

static int check(const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return error_usage(err, "--data: %s is not there; --data %s:1G makes a blank one", path,
				   path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "--data: %s", path);
	if (!S_ISREG(st.st_mode) || st.st_size == 0 || st.st_size % SECTOR)
		return error_usage(err, "--data: %s is not a file of whole sectors of %d bytes", path,
				   SECTOR);
	return 0;
}

int data_disk_open(const char *text, struct strlist *ret, struct error *err)
{
	_cleanup_free_ char *path = xstrdup(text), *absolute = NULL;
	char *colon = strrchr(path, ':');
	uint64_t size = 0;
	int r = 0;

	/* A name may have a colon itself, when it is there. */
	if (colon && access(text, F_OK) < 0) {
		*colon = '\0';
		if (!parse_size(colon + 1, &size))
			return error_usage(
				err,
				"--data: '%s' is no size: a number of bytes, or with K, M, G or T, in sectors of %d",
				colon + 1, SECTOR);
		r = make(path, size, err);
	}
	if (r >= 0)
		r = check(path, err);
	if (r < 0)
		return r;
	absolute = realpath(path, NULL);
	if (!absolute)
		return error_errno(err, -errno, "--data: %s", path);
	if (!xml_can_hold(absolute))
		return error_usage(err, "--data: %s: libvirt takes only names in UTF-8; rename it", absolute);
	strlist_add(ret, absolute);
	return 0;
}

int data_disks_open(const struct strlist *texts, struct strlist *ret, struct error *err)
{
	if (texts->len > DATA_DISKS_MAX)
		return error_usage(err, "--data: more than %d disks", DATA_DISKS_MAX);
	for (size_t i = 0; i < texts->len; i++) {
		int r = data_disk_open(texts->ptr[i], ret, err);

		if (r < 0)
			return r;
		for (size_t k = 0; k < i; k++)
			if (strcmp(ret->ptr[k], ret->ptr[i]) == 0)
				return error_usage(err, "--data: %s is given twice", ret->ptr[i]);
	}
	return 0;
}
