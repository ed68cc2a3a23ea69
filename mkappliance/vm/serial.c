/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/serial.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"

#define WAITING 16 /* strangers, who keep nobody out */

int serial_listen(const char *path, bool shared, int *ret, struct error *err)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;

	if (strlen(path) >= sizeof(a.sun_path))
		return error_set(err, -ENAMETOOLONG,
				 "%s: too long for a socket; set TMPDIR to a shorter path", path);
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, WAITING) < 0)
		return error_errno(err, -errno, "%s: the console's socket", path);
	if (shared && chmod(path, 0666) < 0)
		return error_errno(err, -errno, "%s", path);
	*ret = steal_fd(&fd);
	return 0;
}

static bool is_welcome(int fd, uid_t user)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	if (peer.uid == user || peer.uid == geteuid() || peer.uid == 0)
		return true;
	log_warning("process %d of user %u wanted to be the console of the virtual machine: turned away",
		    (int)peer.pid, (unsigned)peer.uid);
	return false;
}

int serial_accept(int listener, uid_t user, int timeout_ms, int *ret, struct error *err)
{
	uint64_t end = clock_ns() + (uint64_t)timeout_ms * 1000000;

	for (uint64_t now = clock_ns(); now < end; now = clock_ns()) {
		struct pollfd p = {.fd = listener, .events = POLLIN};
		_cleanup_close_ int fd = -1;

		if (poll(&p, 1, (int)((end - now) / 1000000) + 1) == 1)
			fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0 && is_welcome(fd, user)) {
			*ret = steal_fd(&fd);
			return 0;
		}
	}
	return error_set(err, -EIO, "the virtual machine does not connect its console");
}
