/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the list of blocks of an earlier version by what it says. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "cloud/aws_parent.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define DIGEST_OFFSET 32 /* of the header, image/manifest.h */

/* Only the header is read: the digest in it is checked when the list is. */
static bool has_digest(int dirfd, const char *name, const struct sha256 *digest)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct error ignored = ERROR_INIT;
	uint8_t header[BLOCKS_HEADER_SIZE];
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       io_pread_full(fd, name, header, sizeof(header), 0, &ignored) == 0 &&
	       memcmp(header, "MKABLOCK", 8) == 0 &&
	       memcmp(header + DIGEST_OFFSET, digest->b, sizeof(digest->b)) == 0;
}

char *parent_find_blocks(const char *image, const struct sha256 *digest)
{
	const char *slash = strrchr(image, '/');
	_cleanup_free_ char *path = slash ? xstrndup(image, (size_t)(slash - image) + 1) : xstrdup("./");
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *de;

	while (dir && (de = readdir(dir))) {
		size_t len = strlen(de->d_name);

		if (len > 7 && strcmp(de->d_name + len - 7, ".blocks") == 0 &&
		    has_digest(dirfd(dir), de->d_name, digest))
			return xasprintf("%s%s", path, de->d_name);
	}
	return NULL;
}
