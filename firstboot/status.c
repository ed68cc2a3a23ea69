/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "end.h"
#include "file.h"
#include "image/abi.h"
#include "line.h"
#include "status.h"

#define CLIENTS_MAX 4
#define CLIENT_MS   3000 /* for a request and its answer */
#define BACKLOG	    8

struct client {
	int fd; /* -1: free */
	uint64_t deadline;
	size_t len;
	bool answered; /* waits for the other side to close, so that no answer is lost by a reset */
	char request[STATUS_REQUEST_MAX];
};

static struct client clients[CLIENTS_MAX];
static int listener = -1;
static const struct conf *conf;
static enum status_state (*ask_state)(void);

unsigned status_judge(const char *text, size_t len)
{
	static const char end[] = "\r\n\r\n";
	bool get = len >= 4 && memcmp(text, "GET ", 4) == 0;
	bool head = len >= 5 && memcmp(text, "HEAD ", 5) == 0;
	const char *line = memchr(text, '\r', len);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 && text[i] != '\r' && text[i] != '\n' && text[i] != '\t')
			return 400;
	if (!memmem(text, len, end, sizeof end - 1))
		return len >= STATUS_REQUEST_MAX ? 431 : 0;
	if (!line || line - text < 9 || memcmp(line - 9, " HTTP/1.", 8) != 0)
		return 400;
	return get || head ? 200 : 405;
}

static const char *reason(unsigned status)
{
	return status == 200   ? "OK"
	       : status == 400 ? "Bad Request"
	       : status == 405 ? "Method Not Allowed"
	       : status == 431 ? "Request Header Fields Too Large"
			       : "Service Unavailable";
}

static void put_state(struct line *body, enum status_state state)
{
	static const char *const names[] = {"starting", "ready", "draining", "stopping"};
	uint64_t ms = clock_ms();

	line_printf(body, "{\"name\": ");
	line_json(body, conf->name, 200);
	line_printf(body, ", \"version\": ");
	line_json(body, conf->version, 200);
	line_printf(body, ", \"root_hash\": \"%s\", \"state\": \"%s\", \"uptime\": %llu.%03u}\n",
		    conf->root_hash, names[state], (unsigned long long)(ms / 1000), (unsigned)(ms % 1000));
}

/* One send: an answer is smaller than any socket's buffer. */
static void answer(struct client *c, unsigned status)
{
	struct line body = {.len = 0}, text = {.len = 0};
	bool head = memcmp(c->request, "HEAD", 4) == 0;
	enum status_state state = ask_state();

	if (status == 200) {
		put_state(&body, state);
		status = state == STATUS_READY ? 200 : 503;
	}
	line_printf(&text,
		    "HTTP/1.1 %u %s\r\nContent-Type: application/json\r\nContent-Length: %lu\r\n"
		    "Cache-Control: no-store\r\nConnection: close\r\n%s\r\n%s",
		    status, reason(status), (unsigned long)body.len,
		    status == 405 ? "Allow: GET, HEAD\r\n" : "", head ? "" : body.text);
	(void)send(c->fd, text.text, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(c->fd, SHUT_WR);
	c->answered = true;
}

static void drop(struct client *c)
{
	close(c->fd);
	c->fd = -1;
}

static void read_client(struct client *c)
{
	char rest[512];
	unsigned status;
	ssize_t n = c->answered ? recv(c->fd, rest, sizeof rest, 0)
				: recv(c->fd, c->request + c->len, sizeof c->request - c->len, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (clock_ms() >= c->deadline)
			drop(c);
		return;
	}
	if (n <= 0 || clock_ms() >= c->deadline) {
		drop(c);
		return;
	}
	if (c->answered)
		return;
	c->len += (size_t)n;
	status = status_judge(c->request, c->len);
	if (status)
		answer(c, status);
}

static struct client *free_client(void)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (clients[i].fd < 0)
			return &clients[i];
	return NULL;
}

/* When all places are taken the others wait in the kernel's short queue. */
static void accept_one(void)
{
	struct client *c = free_client();
	int fd = c ? accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;

	if (fd < 0)
		return;
	memset(c->request, 0, 8);
	c->fd = fd;
	c->len = 0;
	c->answered = false;
	c->deadline = clock_ms() + CLIENT_MS;
}

static size_t poll_all(struct pollfd *p, size_t max)
{
	size_t n = 0;

	if (n < max)
		p[n++] = (struct pollfd){.fd = free_client() ? listener : -1, .events = POLLIN};
	for (size_t i = 0; i < CLIENTS_MAX && n < max; i++)
		p[n++] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
	return n;
}

static uint64_t next_deadline(void)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (clients[i].fd >= 0 && clients[i].deadline < next)
			next = clients[i].deadline;
	return next;
}

static void step(void)
{
	accept_one();
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (clients[i].fd >= 0)
			read_client(&clients[i]);
}

/* All addresses of both families; of IPv4 where the kernel has no IPv6. */
static int open_listener(uint16_t port)
{
	struct sockaddr_in6 all = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in all4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool six = fd >= 0;
	int on = 1, off = 0, r = 0;

	if (!six)
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    (six && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0) ||
	    bind(fd, six ? (const void *)&all : (const void *)&all4, six ? sizeof all : sizeof all4) < 0 ||
	    listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

void status_start(const struct conf *c, struct events *e, enum status_state (*state)(void))
{
	static struct event_source source = {.poll = poll_all, .deadline = next_deadline, .step = step};

	if (!c->status_port)
		return;
	conf = c;
	ask_state = state;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		clients[i].fd = -1;
	listener = open_listener((uint16_t)c->status_port);
	if (listener < 0)
		fail(ABI_FAILED_SETUP, "Status=:%u: %s", (unsigned)c->status_port, strerror(-listener));
	events_add(e, &source);
}
