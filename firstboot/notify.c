/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify.h"

#define DATAGRAM_MAX 2048
#define AT_ONCE	     32 /* datagrams: a flood must not keep us from everything else */

int notify_open(const char *name, uid_t uid, gid_t gid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct line path = {.len = 0};
	int fd, r = 0;

	line_printf(&path, NOTIFY_DIRECTORY "/%s", name);
	if (path.len >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path.text, path.len + 1);
	if (mkdir(NOTIFY_DIRECTORY, 0711) < 0 && errno != EEXIST)
		return -errno;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if ((unlink(path.text) < 0 && errno != ENOENT) ||
	    bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || chmod(path.text, 0600) < 0 ||
	    chown(path.text, uid, gid) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

unsigned notify_parse(const char *text, size_t len)
{
	static const struct {
		const char *line;
		size_t len;
		unsigned said;
	} known[] = {
		{"READY=1", 7, NOTIFY_READY},
		{"STOPPING=1", 10, NOTIFY_STOPPING},
		{"WATCHDOG=1", 10, NOTIFY_WATCHDOG},
	};
	unsigned said = 0;

	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
			if (n == known[i].len && memcmp(text, known[i].line, n) == 0)
				said |= known[i].said;
		text += end ? n + 1 : n;
		len -= end ? n + 1 : n;
	}
	return said;
}

unsigned notify_read(int fd)
{
	static char text[DATAGRAM_MAX];
	unsigned said = 0;

	for (int i = 0; i < AT_ONCE; i++) {
		/* MSG_TRUNC: the whole length. What is longer than anything sensible counts as nothing. File
		 * descriptors that come along are closed by the kernel, since no room is offered for them. */
		ssize_t n = recv(fd, text, sizeof text, MSG_TRUNC);

		if (n < 0)
			break;
		if ((size_t)n <= sizeof text)
			said |= notify_parse(text, (size_t)n);
	}
	return said;
}
