/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "file.h"
#include "image/abi.h"
#include "line.h"
#include "probe.h"

void probe_init(struct probe *p)
{
	p->fd = -1;
	p->deadline = UINT64_MAX;
	p->was_slow = false;
}

bool probe_runs(const struct probe *p)
{
	return p->deadline != UINT64_MAX;
}

void probe_close(struct probe *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->deadline = UINT64_MAX;
}

static enum probe_result finish(struct probe *p, enum probe_result result)
{
	probe_close(p);
	return result;
}

/* A failure to connect at once is found by probe_check(), which then has no descriptor. */
void probe_begin(struct probe *p, const struct probe_target *t, uint64_t limit)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(t->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	p->events = POLLOUT;
	p->len = 0;
	p->was_slow = false;
	if (p->fd >= 0 && connect(p->fd, (const struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
		probe_close(p);
	p->deadline = clock_ms() + limit;
}

/*
 * Whether the connection stands and has another end. A connect to a port in the ephemeral range that nobody
 * listens on may be given that port as its own, and then TCP connects it to itself.
 */
static bool is_connected(int fd)
{
	struct sockaddr_in own = {0}, peer = {0};
	socklen_t own_len = sizeof own, peer_len = sizeof peer;

	return getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
	       getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 && own.sin_port != peer.sin_port;
}

static enum probe_result probe_send(struct probe *p, const struct probe_target *t)
{
	struct line request = {.len = 0};

	if (!is_connected(p->fd))
		return finish(p, PROBE_BAD);
	if (!t->path)
		return finish(p, PROBE_GOOD);
	line_printf(&request, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", t->path);
	_Static_assert(ABI_READY_PATH_MAX + 64 < LINE_MAX_BYTES, "the request is not cut");
	/* Less than the socket's buffer takes at once. */
	if (send(p->fd, request.text, request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
		return finish(p, PROBE_BAD);
	p->events = POLLIN;
	return PROBE_PENDING;
}

unsigned probe_status(const char *text, size_t len)
{
	unsigned status = 0;

	if (len < 12 || memcmp(text, "HTTP/1.", 7) != 0 || text[8] != ' ')
		return 0;
	for (size_t i = 9; i < 12; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		status = status * 10 + (unsigned)(text[i] - '0');
	}
	return status;
}

static enum probe_result probe_read(struct probe *p)
{
	ssize_t n = recv(p->fd, p->answer + p->len, sizeof p->answer - p->len, 0);
	unsigned status;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return PROBE_PENDING;
	if (n <= 0)
		return finish(p, PROBE_BAD);
	p->len += (size_t)n;
	if (p->len < sizeof p->answer)
		return PROBE_PENDING;
	status = probe_status(p->answer, p->len);
	return finish(p, status >= 200 && status <= 399 ? PROBE_GOOD : PROBE_BAD);
}

enum probe_result probe_check(struct probe *p, const struct probe_target *t)
{
	struct pollfd ready = {.fd = p->fd, .events = p->events};
	enum probe_result r = PROBE_PENDING;

	if (p->fd < 0)
		return finish(p, PROBE_BAD);
	if (poll(&ready, 1, 0) > 0)
		r = p->events == POLLOUT ? probe_send(p, t) : probe_read(p);
	if (r != PROBE_PENDING || clock_ms() < p->deadline)
		return r;
	p->was_slow = true;
	return finish(p, PROBE_BAD);
}
