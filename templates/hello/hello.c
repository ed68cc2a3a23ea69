/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello PORT: a web server that says who it is and where it runs. GET / and GET /healthz, HTTP/1.0 and 1.1,
 * one request a connection. One thread, one poll(); a client that is slow, silent or too many costs a slot
 * for 5 seconds and no more. The name is the hostname, the version the environment variable VERSION. SIGTERM
 * ends it with exit code 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS	       64
#define CLIENT_SECONDS 5
#define FIRST_CLIENT   2 /* in fds: 0 is the signalfd, 1 the listening socket */

static struct pollfd fds[FIRST_CLIENT + CLIENTS];
static struct client {
	time_t deadline; /* monotonic seconds */
	size_t len;
	char request[2048];
} clients[CLIENTS];

static char page[2048];

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static time_t now(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* The line of /proc/mounts for "/", which tells whether the root is the verified one. */
static void read_root(char *ret, size_t size)
{
	FILE *f = fopen("/proc/mounts", "re");
	char line[512], device[128], dir[128], type[32], options[128];

	snprintf(ret, size, "unknown");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "%127s %127s %31s %127s", device, dir, type, options) == 4 &&
		    strcmp(dir, "/") == 0)
			snprintf(ret, size, "%s %s %s", device, type, options);
	if (f)
		fclose(f);
}

static void render_page(void)
{
	char name[65] = "", root[320], body[1024];
	const char *version = getenv("VERSION");

	(void)gethostname(name, sizeof name - 1);
	read_root(root, sizeof root);
	snprintf(body, sizeof body, "hello from %s %s\nroot: %s\n", name, version ? version : "(no version)",
		 root);
	snprintf(
		page, sizeof page,
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
		strlen(body), body);
}

/* The whole answer to a complete request; it is smaller than a socket's buffer, so one send() does. */
static void answer(int fd, const char *request)
{
	static const char health[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
	static const char missing[] =
		"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	static const char refused[] =
		"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	const char *reply = missing;

	if (strncmp(request, "GET ", 4) != 0)
		reply = refused;
	else if (strncmp(request + 4, "/ ", 2) == 0)
		reply = page;
	else if (strncmp(request + 4, "/healthz ", 9) == 0)
		reply = health;
	(void)send(fd, reply, strlen(reply), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void client_close(int i)
{
	close(fds[FIRST_CLIENT + i].fd);
	fds[FIRST_CLIENT + i].fd = -1;
}

static void client_read(int i)
{
	struct client *c = &clients[i];
	int fd = fds[FIRST_CLIENT + i].fd;
	ssize_t n = recv(fd, c->request + c->len, sizeof c->request - 1 - c->len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		c->len += (size_t)n;
		c->request[c->len] = '\0';
		if (!strstr(c->request, "\r\n\r\n") && c->len < sizeof c->request - 1)
			return;
		answer(fd, c->request);
		(void)shutdown(fd, SHUT_WR);
	}
	client_close(i);
}

/* With no free slot the connection is closed at once: better a clear no than a long wait. */
static void client_accept(void)
{
	int fd = accept4(fds[1].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (int i = 0; fd >= 0 && i < CLIENTS; i++)
		if (fds[FIRST_CLIENT + i].fd < 0) {
			fds[FIRST_CLIENT + i] = (struct pollfd){.fd = fd, .events = POLLIN};
			clients[i].deadline = now() + CLIENT_SECONDS;
			clients[i].len = 0;
			return;
		}
	if (fd >= 0)
		close(fd);
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	int one = 1, zero = 0;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const struct sockaddr *address = fd < 0 ? (void *)&any4 : (void *)&any;
	socklen_t len = fd < 0 ? sizeof any4 : sizeof any;

	if (fd >= 0)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	else
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
	    bind(fd, address, len) < 0 || listen(fd, 128) < 0)
		die("hello: cannot listen");
	return fd;
}

int main(int argc, char **argv)
{
	char *end = NULL;
	unsigned long port = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
	sigset_t stop;

	if (!end || *end || port < 1 || port > 65535) {
		fprintf(stderr, "usage: hello PORT\n");
		return 2;
	}
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	if (sigprocmask(SIG_BLOCK, &stop, NULL) < 0)
		die("hello: signals");
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
	fds[0].fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fds[0].fd < 0)
		die("hello: signals");
	fds[1].fd = listen_on((uint16_t)port);
	render_page();
	printf("hello: listening on port %lu\n", port);
	fflush(stdout);

	while (!fds[0].revents) {
		if (poll(fds, sizeof fds / sizeof fds[0], 1000) < 0 && errno != EINTR)
			die("hello: poll");
		for (int i = 0; i < CLIENTS; i++)
			if (fds[FIRST_CLIENT + i].fd >= 0) {
				if (fds[FIRST_CLIENT + i].revents)
					client_read(i);
				else if (now() >= clients[i].deadline)
					client_close(i);
			}
		if (fds[1].revents)
			client_accept();
	}
	printf("hello: stopped\n");
	return 0;
}
