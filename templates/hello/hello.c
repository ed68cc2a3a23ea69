/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello PORT: a web server that says who it is and what its root is. GET / and GET /healthz, one request a
 * connection, one process a connection: a client that is slow or silent costs one of 64 for 5 seconds. The
 * version is the environment variable VERSION. SIGTERM ends it with exit code 0.
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 64
#define PATIENCE 5 /* seconds */
static char page[2048];

static void on_stop(int signal)
{
	static const char bye[] = "hello: stopped\n";
	(void)signal;
	_exit(write(1, bye, sizeof bye - 1) < 0); /* there is nothing to tidy up */
}

/* Made once: it says nothing that could change while the machine runs. */
static void render_page(void)
{
	char line[512], device[128], dir[128], rest[160], root[320] = "unknown", host[65] = "", body[1024];
	const char *version = getenv("VERSION");
	FILE *mounts = fopen("/proc/mounts", "re");

	while (mounts && fgets(line, sizeof line, mounts))
		if (sscanf(line, "%127s %127s %159[^\n]", device, dir, rest) == 3 && strcmp(dir, "/") == 0)
			snprintf(root, sizeof root, "%s %s", device, rest);
	if (mounts)
		fclose(mounts);
	(void)gethostname(host, sizeof host - 1);
	snprintf(body, sizeof body, "hello from %s %s\nroot: %s\n", host, version ? version : "(no version)",
		 root);
	snprintf(page, sizeof page,
		 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
		 "Connection: close\r\n\r\n%s",
		 strlen(body), body);
}

/* In a process of its own, which the alarm ends when the client takes too long to ask or to listen. */
static _Noreturn void serve(int fd)
{
	const char *reply = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	char request[4096] = "";
	size_t len = 0;

	(void)signal(SIGTERM, SIG_DFL);
	(void)alarm(PATIENCE);
	while (!strstr(request, "\r\n\r\n") && len < sizeof request - 1) {
		ssize_t n = read(fd, request + len, sizeof request - 1 - len);

		if (n <= 0)
			_exit(0);
		len += (size_t)n;
	}
	if (strncmp(request, "GET ", 4) != 0)
		reply = "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	else if (strncmp(request + 4, "/ ", 2) == 0)
		reply = page;
	else if (strncmp(request + 4, "/healthz ", 9) == 0)
		reply = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
	(void)send(fd, reply, strlen(reply), MSG_NOSIGNAL);
	_exit(0);
}

/* For IPv4 and, where the kernel has it, for IPv6. */
static int listen_on(uint16_t port)
{
	struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int one = 1, fd6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = fd6 >= 0 ? fd6 : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct sockaddr *any = fd6 >= 0 ? (void *)&any6 : (void *)&any4;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
	    bind(fd, any, fd6 >= 0 ? sizeof any6 : sizeof any4) < 0 || listen(fd, 128) < 0) {
		perror("hello: cannot listen");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	char *end = NULL;
	unsigned long port = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
	int listener, children = 0;

	if (!end || *end || port < 1 || port > 65535) {
		dprintf(2, "usage: hello PORT\n");
		return 2;
	}
	(void)signal(SIGTERM, on_stop);
	render_page();
	listener = listen_on((uint16_t)port);
	dprintf(1, "hello: listening on port %lu\n", port);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		/* Takes in those that ended; when there are too many it waits for one. */
		while (children && waitpid(-1, NULL, children < CHILDREN ? WNOHANG : 0) > 0)
			children--;
		if (fd >= 0) {
			pid_t pid = fork(); /* where it fails the client gets a clear no */

			if (pid == 0)
				serve(fd);
			children += pid > 0;
			close(fd);
		}
	}
}
