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

#define ATTEMPT_MS     2000
#define INTERVAL_FIRST 100
#define INTERVAL_LAST  1000

void probe_init(struct probe *p)
{
	p->fd = -1;
	p->deadline = 0;
	p->interval = INTERVAL_FIRST;
}

void probe_close(struct probe *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

/* This attempt is over; the next one comes later each time. */
static bool probe_again(struct probe *p)
{
	probe_close(p);
	p->deadline = clock_ms() + p->interval;
	p->interval = p->interval * 3 / 2 < INTERVAL_LAST ? p->interval * 3 / 2 : INTERVAL_LAST;
	return false;
}

static bool probe_connect(struct probe *p, const struct conf_service *c)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)c->ready_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	p->events = POLLOUT;
	p->deadline = clock_ms() + ATTEMPT_MS;
	p->len = 0;
	if (p->fd < 0 ||
	    (connect(p->fd, (const struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS))
		return probe_again(p);
	return false;
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

static bool probe_send(struct probe *p, const struct conf_service *c)
{
	struct line request = {.len = 0};

	if (!is_connected(p->fd))
		return probe_again(p);
	if (!c->ready_path) {
		probe_close(p);
		return true;
	}
	line_printf(&request, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		    c->ready_path);
	_Static_assert(ABI_READY_PATH_MAX + 64 < LINE_MAX_BYTES, "the request is not cut");
	/* Less than the socket's buffer takes at once. */
	if (send(p->fd, request.text, request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
		return probe_again(p);
	p->events = POLLIN;
	return false;
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

static bool probe_read(struct probe *p)
{
	ssize_t n = recv(p->fd, p->answer + p->len, sizeof p->answer - p->len, 0);
	unsigned status;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0)
		return probe_again(p);
	p->len += (size_t)n;
	if (p->len < sizeof p->answer)
		return false;
	status = probe_status(p->answer, p->len);
	if (status < 200 || status > 399)
		return probe_again(p);
	probe_close(p);
	return true;
}

bool probe_step(struct probe *p, const struct conf_service *c)
{
	struct pollfd ready = {.fd = p->fd, .events = p->events};

	if (p->fd < 0)
		return clock_ms() < p->deadline ? false : probe_connect(p, c);
	if (poll(&ready, 1, 0) > 0)
		return p->events == POLLOUT ? probe_send(p, c) : probe_read(p);
	return clock_ms() < p->deadline ? false : probe_again(p);
}
