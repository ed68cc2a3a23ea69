/* SPDX-License-Identifier: Apache-2.0 */
/* firstboot_blank FILE...: what the init would say of such a disk: "blank", "LUKS", "ext4 'label'"... a line each. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../firstboot/blank.h"

static int look(const char *path)
{
	char label[BLANK_LABEL_MAX + 1];
	const char *what = "";
	uint64_t at = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	int r = size < 0 ? -1 : blank_check(fd, (uint64_t)size, &what, &at);

	if (r < 0)
		printf("cannot be read\n");
	else if (r == 1)
		printf("blank\n");
	else if (blank_ext4_label(fd, label) == 0)
		printf("ext4 '%s'\n", label);
	else
		printf("%s at %llu\n", what, (unsigned long long)at);
	if (fd >= 0)
		close(fd);
	return r < 0;
}

int main(int argc, char **argv)
{
	int bad = 0;

	for (int i = 1; i < argc; i++)
		bad |= look(argv[i]);
	return bad;
}
