/* SPDX-License-Identifier: Apache-2.0 */
/* Probes against a small server in a thread that plays what its script says, one connection a step. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "vm/domain_xml.h"
#include "vm/host.h"
#include "vm/http_probe.h"
#include "vm/probe.h"
#include "vm/usernet.h"

#define SECOND 1000000000ull

static const struct probe_peer no_peer;

struct server {
	int fd;
	uint16_t port;
	const char *const *script; /* "RST", "CLOSE", "HOLD", or the bytes to answer; ends in NULL */
	char request[1024];	   /* the last one */
	pthread_t thread;
};

static void play(struct server *s, int c, const char *step)
{
	const struct linger reset = {.l_onoff = 1};
	ssize_t n;

	if (strcmp(step, "RST") == 0) {
		(void)setsockopt(c, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		return;
	}
	if (strcmp(step, "CLOSE") == 0)
		return;
	if (strcmp(step, "HOLD") == 0) {
		(void)recv(c, s->request, 1, 0); /* until the other side goes */
		return;
	}
	n = recv(c, s->request, sizeof(s->request) - 1, 0);
	s->request[n > 0 ? n : 0] = 0;
	(void)send(c, step, strlen(step), MSG_NOSIGNAL);
	(void)shutdown(c, SHUT_WR);
	(void)recv(c, &(char){0}, 1, 0);
}

static void *serve(void *data)
{
	struct server *s = data;

	for (size_t i = 0; s->script[i]; i++) {
		int c = accept(s->fd, NULL, NULL);

		if (c < 0)
			break;
		play(s, c, s->script[i]);
		(void)close(c);
	}
	return NULL;
}

static void start(struct server *s, const char *const *script)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);

	*s = (struct server){.script = script};
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->fd >= 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s->fd, 5), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
	s->port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop(struct server *s)
{
	(void)shutdown(s->fd, SHUT_RDWR);
	(void)pthread_join(s->thread, NULL);
	(void)close(s->fd);
}

#define SCRIPT(...)	     ((const char *const[]){__VA_ARGS__, NULL})
#define ANSWER(status, body) "HTTP/1.1 " status " X\r\nConnection: close\r\n\r\n" body

static int ask(const char *const *script, const struct template_probe *p, uint64_t seconds, char *request,
	       struct error *err)
{
	struct server s;
	int r;

	*err = ERROR_INIT;
	start(&s, script);
	r = probe_run(p, s.port, clock_ns() + seconds * SECOND, &no_peer, err);
	stop(&s);
	if (request)
		strcpy(request, s.request);
	return r;
}

static char path_health[] = "/healthz?a=1";
static char body_hello[] = "hello";
static const struct template_probe get = {.kind = PROBE_HTTP, .port = 80, .path = path_health, .status = 200};
static const struct template_probe get_body = {
	.kind = PROBE_HTTP, .port = 80, .path = path_health, .status = 200, .body = body_hello};
static const struct template_probe tcp = {.kind = PROBE_TCP, .port = 80};

static void test_http(void **state)
{
	struct error err;
	char request[1024];

	(void)state;
	assert_int_equal(ask(SCRIPT(ANSWER("200", "say hello")), &get_body, 5, request, &err), 0);
	assert_contains(request, "GET /healthz?a=1 HTTP/1.1\r\n");
	assert_contains(request, "Host: 127.0.0.1");
	assert_int_equal(ask(SCRIPT(ANSWER("200", "")), &get, 5, NULL, &err), 0);
}

/* An answer is an answer: wrong ones are not asked for again. */
static void test_wrong_answers(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(ask(SCRIPT(ANSWER("503", "")), &get, 5, NULL, &err), -EBADMSG);
	assert_string_equal(err.text, "answered 503, not 200");
	assert_int_equal(ask(SCRIPT(ANSWER("200", "good bye")), &get_body, 5, NULL, &err), -EBADMSG);
	assert_contains(err.text, "without \"hello\"");
	assert_int_equal(
		ask(SCRIPT("HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\n\r\n"), &get, 5, NULL, &err),
		-EBADMSG);
	assert_contains(err.text, "answered 302");
	assert_int_equal(ask(SCRIPT("SSH-2.0-nothing\r\n"), &get, 5, NULL, &err), -EBADMSG);
}

/* Nobody there yet: asked again until there is. */
static void test_retries(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(ask(SCRIPT("RST", "CLOSE", ANSWER("200", "")), &get, 10, NULL, &err), 0);
	assert_int_equal(ask(SCRIPT("RST", "CLOSE", "HOLD"), &tcp, 10, NULL, &err), 0);
}

static void test_deadline(void **state)
{
	uint64_t start_ns = clock_ns();
	struct error err = ERROR_INIT;
	uint16_t port = 0;

	(void)state;
	assert_int_equal(host_free_port(&port, &err), 0);
	assert_int_equal(probe_run(&get, port, clock_ns() + SECOND, &no_peer, &err), -ETIMEDOUT);
	assert_contains(err.text, "no answer in time");
	assert_int_equal(probe_run(&tcp, port, clock_ns() + SECOND, &no_peer, &err), -ETIMEDOUT);
	assert_int_equal(ask(SCRIPT("HOLD"), &get, 1, NULL, &err), -ETIMEDOUT);
	assert_true(clock_ns() - start_ns < 60 * SECOND);
}

static bool nobody(void *data)
{
	(*(int *)data)++;
	return false;
}

static void test_gives_up(void **state)
{
	struct error err = ERROR_INIT;
	uint16_t port = 0;
	int asked = 0;
	const struct probe_peer peer = {.alive = nobody, .data = &asked};

	(void)state;
	assert_int_equal(host_free_port(&port, &err), 0);
	assert_int_equal(probe_run(&get, port, clock_ns() + 60 * SECOND, &peer, &err), -ECONNABORTED);
	assert_int_equal(asked, 1);
}

/* Counts down; then the guest has accepted. */
static bool accepts_later(uint16_t host_port, void *data)
{
	assert_true(host_port != 0);
	return --*(int *)data <= 0;
}

/* Somebody listens on the host long before the guest accepts: only the latter counts. */
static void test_accepted(void **state)
{
	int looks = 3;
	const struct probe_peer peer = {.accepted = accepts_later, .data = &looks};
	struct error err = ERROR_INIT;
	struct server s;

	(void)state;
	start(&s, SCRIPT("HOLD"));
	assert_int_equal(probe_run(&tcp, s.port, clock_ns() + 20 * SECOND, &peer, &err), 0);
	assert_int_equal(looks, 0);
	stop(&s);

	looks = 1000;
	start(&s, SCRIPT("HOLD", "HOLD", "HOLD"));
	assert_int_equal(probe_run(&tcp, s.port, clock_ns() + SECOND, &peer, &err), -ETIMEDOUT);
	assert_contains(err.text, "does not accept");
	stop(&s);
}

static void test_usernet(void **state)
{
	static const char info[] =
		"Hub -1 (user0):\r\n"
		"  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n"
		"  TCP[ESTABLISHED]   15       127.0.0.1 18080       10.0.2.15  8080     0     0\r\n"
		"  TCP[SYN_SENT]      16       127.0.0.1 18081       10.0.2.15  8081     0     0\r\n"
		"  TCP[HOST_FORWARD]  12       127.0.0.1 18082               *  8082     0     0\r\n"
		"  UDP[28 sec]        17       10.0.2.15 18083        10.0.2.3    53     0     0\r\n";

	(void)state;
	assert_true(usernet_is_established(info, 18080));
	for (uint16_t port = 18081; port < 18084; port++)
		assert_false(usernet_is_established(info, port));
	assert_false(usernet_is_established("", 18080));
	assert_false(usernet_is_established("  TCP[ESTABLISHED]", 18080));
}

/* A body without end is read as far as it is looked at. */
static void test_endless_body(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	struct error err;

	(void)state;
	buf_printf(&b, ANSWER("200", "hello"));
	for (size_t i = 0; i < 3 * HTTP_BODY_MAX; i++)
		buf_add(&b, "x", 1);
	assert_int_equal(ask(SCRIPT(b.ptr), &get_body, 10, NULL, &err), 0);
}

static void test_names(void **state)
{
	_cleanup_free_ char *http = probe_name(&get), *plain = probe_name(&tcp);

	(void)state;
	assert_string_equal(http, "GET :80/healthz?a=1 200");
	assert_string_equal(plain, "TCP :80");
}

/* Who has a port is told in one line. */
/* A free port is given to whoever asks: of so many some would be the same. */
static void test_free_ports(void **state)
{
	static struct forward f[1000];
	static bool seen[65536];
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(host_free_ports(f, 1000, &err), 0);
	for (size_t i = 0; i < 1000; i++) {
		assert_true(f[i].host && !seen[f[i].host]);
		seen[f[i].host] = true;
	}
}

static void test_port_in_use(void **state)
{
	struct error err = ERROR_INIT;
	struct server s;

	(void)state;
	start(&s, SCRIPT("CLOSE"));
	assert_int_equal(host_check_port(s.port, &err), -EADDRINUSE);
	assert_contains(err.text, "is in use");
	stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http),	   cmocka_unit_test(test_wrong_answers),
		cmocka_unit_test(test_retries),	   cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_gives_up),   cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_usernet),	   cmocka_unit_test(test_endless_body),
		cmocka_unit_test(test_names),	   cmocka_unit_test(test_port_in_use),
		cmocka_unit_test(test_free_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
