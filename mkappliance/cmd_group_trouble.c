/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps a keeper from its work, and a state that is gone; declared in cmd_group.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd_group.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define TROUBLE_SIZE \
	512u /* of the file, always: a disk that is full does not keep the keeper from saying so */

void group_trouble_set(int fd, const char *text)
{
	char bytes[TROUBLE_SIZE] = "";

	rollout_copy(bytes, sizeof(bytes), text);
	(void)!pwrite(fd, bytes, sizeof(bytes), 0); /* its log has it, too */
}

int group_trouble_open(const struct group_dir *d, int *ret, struct error *err)
{
	_cleanup_free_ char *path = group_dir_file(d, "trouble");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return error_errno(err, -errno, "%s", path);
	group_trouble_set(fd, "");
	*ret = fd;
	return 0;
}

char *group_trouble(const struct group_dir *d)
{
	_cleanup_free_ char *path = group_dir_file(d, "trouble");
	_cleanup_buf_ struct buf b = {0};
	struct error ignored = ERROR_INIT;

	if (io_read_file(AT_FDCWD, path, TROUBLE_SIZE, &b, &ignored) < 0 || !b.len || !b.ptr[0])
		return NULL;
	return xasprintf("%.*s", (int)b.len, b.ptr);
}

/* How many machines it has, or had: each leaves a directory until it was ended as it must. */
static unsigned machines_of(const struct group_dir *d)
{
	_cleanup_free_ char *path = group_dir_file(d, "m");
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *e;
	unsigned n = 0;

	while (dir && (e = readdir(dir)))
		n += e->d_name[0] != '.';
	return n;
}

int group_dir_check_state(const struct group_dir *d, struct error *err)
{
	_cleanup_free_ char *path = group_dir_file(d, "state.json");
	unsigned machines = access(path, F_OK) < 0 ? machines_of(d) : 0;

	if (!machines)
		return 0;
	return error_set(
		err, -ENOENT,
		"group '%s': %s is gone; its %u machines and the balancer go on, and nobody keeps them: put it "
		"back, or end all of them (mkappliance deploy --group %s --destroy)",
		d->name, path, machines, d->name);
}
