/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/probe_try.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "vm/probe.h"

#define STAYS_OPEN_MS 1000

void probe_answer_free(struct probe_answer *a)
{
	buf_free(&a->body);
}

static void cleanup_curlp(CURL **curl)
{
	curl_easy_cleanup(*curl);
}

/* Takes what fits; saying less than @n ends the transfer, which is what we want of an endless body. */
static size_t take_body(char *data, size_t size, size_t n, void *user)
{
	struct probe_answer *a = user;
	size_t room = PROBE_BODY_MAX - a->body.len, len = size * n;

	buf_add(&a->body, data, len < room ? len : room);
	return len < room ? len : 0;
}

static int check_interrupt(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)user;
	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return interrupt_pending();
}

static void init_curl(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
}

static int set_options(CURL *curl, const char *url, long timeout_ms, struct probe_answer *a, char *text)
{
	return curl_easy_setopt(curl, CURLOPT_URL, url) || curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) ||
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http") || curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") ||
	       curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms) ||
	       curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L) || curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text) ||
	       curl_easy_setopt(curl, CURLOPT_USERAGENT, "mkappliance") ||
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) ||
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, a) || curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) ||
	       curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, check_interrupt);
}

/* Whether nobody answered (yet), as opposed to an answer that is no HTTP or breaks off. */
static bool worth_another_try(CURLcode code, long status)
{
	switch ((int)code) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_OPERATION_TIMEDOUT:
		return status == 0;
	default:
		return false;
	}
}

int probe_try_http(uint16_t port, const char *path, long timeout_ms, struct probe_answer *ret, struct error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	_cleanup_(cleanup_curlp) CURL *curl = NULL;
	_cleanup_free_ char *url = xasprintf("http://127.0.0.1:%u%s", port, path);
	_cleanup_probe_answer_ struct probe_answer a = {0};
	char text[CURL_ERROR_SIZE] = "";
	long status = 0;
	CURLcode code;

	(void)pthread_once(&once, init_curl);
	curl = curl_easy_init();
	if (!curl || set_options(curl, url, timeout_ms, &a, text))
		return error_set(err, -ENOMEM, "libcurl cannot be set up");
	code = curl_easy_perform(curl);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return error_set(err, -EINTR, "interrupted");
	if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && a.body.len == PROBE_BODY_MAX))
		return error_set(err, worth_another_try(code, status) ? -EAGAIN : -EBADMSG, "%s",
				 text[0] ? text : curl_easy_strerror(code));
	a.status = (int)status;
	*ret = a;
	a.body = (struct buf){0};
	return 0;
}

int probe_try_tcp(uint16_t port, long timeout_ms, struct error *err)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = interrupt_fd(), .events = POLLIN}};
	char c;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return error_errno(err, -errno, "socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return error_errno(err, errno == EINTR ? -EINTR : -EAGAIN, "connecting");
	(void)poll(fds, 2, timeout_ms < STAYS_OPEN_MS ? (int)timeout_ms : STAYS_OPEN_MS);
	if (interrupt_check(err) < 0)
		return err->code;
	if (fds[0].revents && recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) <= 0)
		return error_set(err, -EAGAIN, "the connection was closed at once");
	return 0;
}
