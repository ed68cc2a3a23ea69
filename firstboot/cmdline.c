/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>

#include "cmdline.h"
#include "end.h"
#include "file.h"
#include "image/abi.h"
#include "memory.h"

/* More than any architecture's COMMAND_LINE_SIZE, twice. */
static char cmdline[8192];

void cmdline_check(const char *expected)
{
	size_t len = 0;
	int r = file_read(AT_FDCWD, "/proc/cmdline", cmdline, sizeof cmdline, &len);

	if (r < 0)
		refuse(ABI_REFUSED_CMDLINE, "/proc/cmdline: %s", strerror(-r));
	/* The kernel ends it with one line end that is not part of it. */
	if (len && cmdline[len - 1] == '\n')
		cmdline[--len] = '\0';
	if (len != strlen(expected) || memcmp(cmdline, expected, len) != 0)
		refuse(ABI_REFUSED_CMDLINE, "the kernel was started with '%s'", cmdline);
	memory_forget(cmdline, sizeof cmdline);
}
