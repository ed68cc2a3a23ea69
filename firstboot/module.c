/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/module.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "module.h"

int module_load(const char *path)
{
	size_t len = strlen(path);
	int flags = len > 3 && strcmp(path + len - 3, ".ko") == 0 ? 0 : MODULE_INIT_COMPRESSED_FILE;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, "", flags) < 0 && errno != EEXIST && errno != ENODEV &&
	    errno != EOPNOTSUPP)
		r = -errno;
	close(fd);
	return r;
}
