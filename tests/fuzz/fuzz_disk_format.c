/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a disk image, and the same bytes as the start of a disk. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compose/disk_format.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_close_ int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct error err = ERROR_INIT;
	const char *format = NULL;

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		return 0;
	if (disk_check_format(fd, "fuzz", &format, &err) == 0)
		assert(strcmp(format, "raw") == 0 || len >= 104);
	else
		assert(!format && *err.text);
	(void)disk_check_table(data, len, "fuzz", &err);
	return 0;
}
