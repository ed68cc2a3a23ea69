/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/http_probe.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"

void http_answer_free(struct http_answer *a)
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
	struct http_answer *a = user;
	size_t room = HTTP_BODY_MAX - a->body.len, len = size * n;

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

static int set_options(CURL *curl, const char *url, long timeout_ms, struct http_answer *a, char *text)
{
	return curl_easy_setopt(curl, CURLOPT_URL, url) || curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) ||
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http") ||
	       curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") ||
	       curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms) ||
	       curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L) ||
	       curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text) ||
	       curl_easy_setopt(curl, CURLOPT_USERAGENT, "mkappliance") ||
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) ||
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, a) ||
	       curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) ||
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

int http_probe(uint16_t port, const char *path, long timeout_ms, struct http_answer *ret, struct error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	_cleanup_(cleanup_curlp) CURL *curl = NULL;
	_cleanup_free_ char *url = xasprintf("http://127.0.0.1:%u%s", port, path);
	_cleanup_http_answer_ struct http_answer a = {0};
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
	if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && a.body.len == HTTP_BODY_MAX))
		return error_set(err, worth_another_try(code, status) ? -EAGAIN : -EBADMSG, "%s",
				 text[0] ? text : curl_easy_strerror(code));
	a.status = (int)status;
	*ret = a;
	a.body = (struct buf){0};
	return 0;
}
