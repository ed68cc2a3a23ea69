/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"
#include "vm/http_probe.h"

#define FIRST_TRY_MS  3000  /* time for one attempt, doubled up to ... */
#define LAST_TRY_MS   60000 /* ... so that a slow answer has its chance too */
#define LOOK_MS	      100
#define PAUSE_MS      200
#define STAYS_OPEN_MS 1000

char *probe_name(const struct template_probe *p)
{
	if (p->kind == PROBE_TCP)
		return xasprintf("TCP :%u", p->port);
	return xasprintf("GET :%u%s %d", p->port, p->path, p->status);
}

static int judge(const struct template_probe *p, const struct http_answer *a, struct error *err)
{
	if (p->kind == PROBE_TCP)
		return 0;
	if (a->status != p->status)
		return error_set(err, -EBADMSG, "answered %d, not %d", a->status, p->status);
	if (p->body && !(a->body.len && memmem(a->body.ptr, a->body.len, p->body, strlen(p->body))))
		return error_set(err, -EBADMSG, "answered %d, but without \"%s\" in the body", a->status,
				 p->body);
	return 0;
}

static int pause_between(uint64_t deadline, struct error *err)
{
	struct pollfd p = {.fd = interrupt_fd(), .events = POLLIN};

	(void)poll(&p, 1, PAUSE_MS);
	if (interrupt_check(err) < 0)
		return err->code;
	if (clock_ns() >= deadline)
		return -ETIMEDOUT;
	return 0;
}

static int connect_to(uint16_t port, int *ret, struct error *err)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return error_errno(err, -errno, "socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return error_errno(err, errno == EINTR ? -EINTR : -EAGAIN, "connecting");
	*ret = steal_fd(&fd);
	return 0;
}

/* A connection counts when the other side speaks or is known to have accepted it. -EAGAIN when there was none. */
static int try_tcp(uint16_t port, long timeout_ms, const struct probe_peer *peer, struct error *err)
{
	uint64_t end = clock_ns() + (uint64_t)(peer->accepted ? timeout_ms : STAYS_OPEN_MS) * 1000000;
	_cleanup_close_ int fd = -1;
	int r = connect_to(port, &fd, err);
	char c;

	if (r < 0)
		return r;
	while (clock_ns() < end) {
		struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
					{.fd = interrupt_fd(), .events = POLLIN}};

		(void)poll(fds, 2, LOOK_MS);
		if (interrupt_check(err) < 0)
			return err->code;
		if (fds[0].revents && recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) <= 0)
			return error_set(err, -EAGAIN, "the connection was closed at once");
		if (fds[0].revents || (peer->accepted && peer->accepted(port, peer->data)))
			return 0;
	}
	return peer->accepted ? error_set(err, -EAGAIN, "the guest does not accept the connection") : 0;
}

static long left_ms(uint64_t deadline)
{
	uint64_t now = clock_ns();

	return deadline > now ? (long)((deadline - now) / 1000000) + 1 : 1;
}

int probe_run(const struct template_probe *p, uint16_t host_port, uint64_t deadline,
	      const struct probe_peer *peer, struct error *err)
{
	long try_ms = FIRST_TRY_MS;

	for (;;) {
		_cleanup_http_answer_ struct http_answer a = {0};
		struct error last = ERROR_INIT;
		long ms = left_ms(deadline) < try_ms ? left_ms(deadline) : try_ms;
		int r = p->kind == PROBE_HTTP ? http_probe(host_port, p->path, ms, &a, &last)
					      : try_tcp(host_port, ms, peer, &last);

		if (r == 0)
			return judge(p, &a, err);
		if (r != -EAGAIN) {
			*err = last;
			return r;
		}
		r = pause_between(deadline, err);
		if (r == -ETIMEDOUT)
			return error_set(err, r, "no answer in time (last: %s)", last.text);
		if (r < 0)
			return r;
		if (peer->alive && !peer->alive(peer->data))
			return error_set(err, -ECONNABORTED, "nobody left to answer (last: %s)", last.text);
		try_ms = try_ms * 2 < LAST_TRY_MS ? try_ms * 2 : LAST_TRY_MS;
	}
}
