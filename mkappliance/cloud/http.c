/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"

#define RESPONSE_MAX_DEFAULT ((size_t)1 << 20)
#define HEADERS_MAX	     100
#define HEADER_BYTES_MAX     ((size_t)64 << 10)
#define STALL_BYTES	     1024L

/* A request on its way. The easy handle is kept for the next one. */
struct transfer {
	struct transfer *next; /* in the list of those in flight, or of those that rest */
	CURL *easy;
	CURLM *multi;
	struct curl_slist *headers;
	const uint8_t *body;
	int64_t (*read)(void *user, uint64_t offset, void *buf, size_t size);
	void *read_user;
	size_t body_len, sent;
	size_t response_max, header_bytes;
	bool too_large, control;
	uint64_t started_ns;
	unsigned stall_s, timeout_ms;
	struct http_reply reply;
	char text[CURL_ERROR_SIZE];
	http_done_fn *done;
	void *user;
};

struct http {
	CURLM *data;	/* what was submitted */
	CURLM *control; /* http_perform() */
	struct transfer *busy, *idle;
	unsigned in_flight;
	char *ca_file;
	long buffer;
};

static void init_curl(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
}

int http_new(const struct http_options *options, struct http **ret, struct error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct http *h = xcalloc(1, sizeof(*h));
	long connections = options->connections ? options->connections : 8;

	(void)pthread_once(&once, init_curl);
	h->data = curl_multi_init();
	h->control = curl_multi_init();
	h->ca_file = options->ca_file ? xstrdup(options->ca_file) : NULL;
	h->buffer = options->buffer;
	if (!h->data || !h->control || curl_multi_setopt(h->data, CURLMOPT_MAXCONNECTS, connections + 8) ||
	    curl_multi_setopt(h->data, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING)) {
		http_free(h);
		return error_set(err, -ENOMEM, "libcurl cannot be set up");
	}
	*ret = h;
	return 0;
}

/* Headers may hold a session token. */
static void wipe_headers(struct curl_slist *list)
{
	for (struct curl_slist *l = list; l; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(list);
}

static void transfer_clear(struct transfer *t)
{
	wipe_headers(t->headers);
	t->headers = NULL;
	http_reply_free(&t->reply);
}

static void transfer_free(struct transfer *t)
{
	transfer_clear(t);
	curl_easy_cleanup(t->easy);
	free(t);
}

/* Takes it out of the list of those in flight. */
static void unlink_busy(struct http *h, struct transfer *t)
{
	struct transfer **p = &h->busy;

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	(void)curl_multi_remove_handle(t->multi, t->easy);
	if (!t->control)
		h->in_flight--;
}

static void rest(struct http *h, struct transfer *t)
{
	transfer_clear(t);
	t->next = h->idle;
	h->idle = t;
}

void http_abandon(struct http *h)
{
	while (h->busy) {
		struct transfer *t = h->busy;

		unlink_busy(h, t);
		/* What was half said cannot be taken up again: its connection goes with it. */
		transfer_free(t);
	}
}

void http_free(struct http *h)
{
	if (!h)
		return;
	http_abandon(h);
	while (h->idle) {
		struct transfer *t = h->idle;

		h->idle = t->next;
		transfer_free(t);
	}
	if (h->data)
		curl_multi_cleanup(h->data);
	if (h->control)
		curl_multi_cleanup(h->control);
	free(h->ca_file);
	free(h);
}

void http_freep(struct http **h)
{
	http_free(*h);
}

static size_t give_body(char *to, size_t size, size_t n, void *user)
{
	struct transfer *t = user;
	size_t left = t->body_len - t->sent, len = size * n < left ? size * n : left;

	if (t->read && len) {
		int64_t got = t->read(t->read_user, t->sent, to, len);

		if (got <= 0)
			return CURL_READFUNC_ABORT;
		len = (size_t)got;
	} else if (len) {
		memcpy(to, t->body + t->sent, len);
	}
	t->sent += len;
	return len;
}

/* libcurl starts anew when a connection that it wanted to use again had died. */
static int rewind_body(void *user, curl_off_t offset, int origin)
{
	struct transfer *t = user;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > t->body_len)
		return CURL_SEEKFUNC_FAIL;
	t->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

static size_t take_body(char *data, size_t size, size_t n, void *user)
{
	struct transfer *t = user;
	size_t len = size * n;

	if (len > t->response_max - t->reply.body.len) {
		t->too_large = true;
		return 0;
	}
	buf_add(&t->reply.body, data, len);
	return len;
}

/* A status line begins anew: an interim answer (100), or that of a proxy, came before. */
static size_t take_header(char *data, size_t size, size_t n, void *user)
{
	struct transfer *t = user;
	size_t len = size * n, text = len;

	t->header_bytes += len;
	if (t->header_bytes > HEADER_BYTES_MAX || t->reply.headers.len >= HEADERS_MAX) {
		t->too_large = true;
		return 0;
	}
	while (text && strchr(" \t\r\n", data[text - 1]))
		text--;
	if (text >= 5 && memcmp(data, "HTTP/", 5) == 0)
		strlist_free(&t->reply.headers);
	else if (text)
		strlist_addf(&t->reply.headers, "%.*s", (int)text, data);
	return len;
}

static bool clean(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

/* Copies the request's headers; "Expect" and "Accept" are libcurl's own idea and are not sent. */
static int set_headers(struct transfer *t, const struct http_request *r, struct error *err)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");

	t->headers = list;
	for (const char *const *p = r->headers; list && p && *p; p++) {
		if (!clean(*p) || !strchr(*p, ':'))
			return error_set(err, -EINVAL,
					 "a header of the request to %s holds what no header can", r->url);
		list = curl_slist_append(list, *p);
	}
	if (!list || !curl_slist_append(list, "Accept:"))
		return error_set(err, -ENOMEM, "libcurl has no memory");
	return 0;
}

static int set_callbacks(struct transfer *t)
{
	CURL *e = t->easy;

	return curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body) ||
	       curl_easy_setopt(e, CURLOPT_WRITEDATA, t) ||
	       curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header) ||
	       curl_easy_setopt(e, CURLOPT_HEADERDATA, t) ||
	       curl_easy_setopt(e, CURLOPT_READFUNCTION, give_body) ||
	       curl_easy_setopt(e, CURLOPT_READDATA, t) ||
	       curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, rewind_body) ||
	       curl_easy_setopt(e, CURLOPT_SEEKDATA, t) || curl_easy_setopt(e, CURLOPT_PRIVATE, t) ||
	       curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->text);
}

static int set_limits(const struct http *h, struct transfer *t, const struct http_request *r)
{
	CURL *e = t->easy;

	return curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)t->timeout_ms) ||
	       curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(r->connect_ms ? r->connect_ms : 5000)) ||
	       curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES) ||
	       curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)t->stall_s) ||
	       curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) || curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L) ||
	       curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") ||
	       curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ||
	       (h->ca_file && curl_easy_setopt(e, CURLOPT_CAINFO, h->ca_file)) ||
	       (h->buffer && curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, h->buffer)) ||
	       (r->no_proxy && curl_easy_setopt(e, CURLOPT_NOPROXY, "*"));
}

static int set_request(struct transfer *t, const struct http_request *r)
{
	CURL *e = t->easy;
	bool get = strcmp(r->method, "GET") == 0;

	if (!get && (curl_easy_setopt(e, CURLOPT_UPLOAD, 1L) ||
		     curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)t->body_len) ||
		     curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method)))
		return -1;
	return curl_easy_setopt(e, CURLOPT_URL, r->url) || curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L) ||
	       curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ||
	       curl_easy_setopt(e, CURLOPT_USERAGENT, "mkappliance") ||
	       curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
}

static struct transfer *take_idle(struct http *h)
{
	struct transfer *t = h->idle;

	if (t) {
		h->idle = t->next;
		curl_easy_reset(t->easy);
	} else {
		t = xcalloc(1, sizeof(*t));
		t->easy = curl_easy_init();
		if (!t->easy)
			abort();
	}
	t->text[0] = 0;
	t->sent = t->header_bytes = 0;
	t->too_large = t->control = false;
	return t;
}

static int start(struct http *h, CURLM *multi, const struct http_request *r, http_done_fn *done, void *user,
		 struct error *err)
{
	struct transfer *t = take_idle(h);
	int code;

	t->body = r->body;
	t->read = r->body ? NULL : r->read;
	t->read_user = r->read_user;
	t->body_len = r->body || r->read ? r->body_len : 0;
	t->response_max = r->response_max ? r->response_max : RESPONSE_MAX_DEFAULT;
	t->timeout_ms = r->timeout_ms ? r->timeout_ms : 60000;
	t->stall_s = r->stall_s ? r->stall_s : 15;
	t->done = done;
	t->user = user;
	t->multi = multi;
	t->control = multi == h->control;
	t->started_ns = clock_ns();
	code = clean(r->url) && clean(r->method) ? set_headers(t, r, err)
						 : error_set(err, -EINVAL, "a URL with control characters");
	if (code == 0 && (set_callbacks(t) || set_limits(h, t, r) || set_request(t, r) ||
			  curl_multi_add_handle(multi, t->easy)))
		code = error_set(err, -EINVAL, "%s: libcurl does not take this request", r->url);
	if (code < 0) {
		rest(h, t);
		return code;
	}
	t->next = h->busy;
	h->busy = t;
	if (!t->control)
		h->in_flight++;
	return 0;
}

int http_submit(struct http *h, const struct http_request *request, http_done_fn *done, void *user,
		struct error *err)
{
	return start(h, h->data, request, done, user, err);
}

static enum http_outcome outcome_of(const struct transfer *t, CURLcode code)
{
	if (t->too_large)
		return HTTP_TOO_LARGE;
	switch ((int)code) {
	case CURLE_OK:
		return HTTP_ANSWERED;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
		return HTTP_UNREACHABLE;
	case CURLE_OPERATION_TIMEDOUT:
		/* One code for both: the stalled one ended before its time. */
		return clock_ns() - t->started_ns < (t->timeout_ms - t->timeout_ms / 50) * UINT64_C(1000000)
			       ? HTTP_STALLED
			       : HTTP_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
		return HTTP_TLS;
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_FAIL_REWIND:
	case CURLE_ABORTED_BY_CALLBACK:
		return HTTP_BROKEN;
	default:
		return HTTP_BAD;
	}
}

/* Fills the reply of a transfer that ended. */
static void conclude(struct transfer *t, CURLcode code)
{
	struct http_reply *r = &t->reply;
	long status = 0, connects = 0;
	curl_off_t sent = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
	(void)curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	r->outcome = outcome_of(t, code);
	r->status = r->outcome == HTTP_ANSWERED ? (int)status : 0;
	r->total_ns = clock_ns() - t->started_ns;
	r->sent = (uint64_t)sent;
	r->new_connection = connects > 0;
	if (r->outcome == HTTP_TOO_LARGE)
		snprintf(r->detail, sizeof(r->detail), "the answer is larger than %zu bytes",
			 t->response_max);
	else if (r->outcome != HTTP_ANSWERED)
		snprintf(r->detail, sizeof(r->detail), "%s", t->text[0] ? t->text : curl_easy_strerror(code));
	error_one_line(r->detail);
}

/* Hands over what ended on @multi; returns how many did. */
static unsigned reap(struct http *h, CURLM *multi)
{
	unsigned count = 0;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(multi, &left))) {
		struct transfer *t = NULL;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		conclude(t, code);
		unlink_busy(h, t);
		t->done(h, &t->reply, t->user);
		rest(h, t);
		count++;
	}
	return count;
}

/* One round on @multi. */
static void step(struct http *h, CURLM *multi, unsigned wait_ms)
{
	struct curl_waitfd extra = {.fd = interrupt_fd(), .events = CURL_WAIT_POLLIN};
	unsigned extras = extra.fd >= 0 && !interrupt_pending() ? 1 : 0;
	int running = 0;

	(void)curl_multi_perform(multi, &running);
	if (reap(h, multi) > 0 || wait_ms == 0)
		return;
	(void)curl_multi_poll(multi, &extra, extras, (int)wait_ms, NULL);
	(void)curl_multi_perform(multi, &running);
	(void)reap(h, multi);
}

unsigned http_step(struct http *h, unsigned wait_ms)
{
	step(h, h->data, wait_ms);
	return h->in_flight;
}

void http_wake(struct http *h)
{
	(void)curl_multi_wakeup(h->data);
}

struct waiting {
	struct http_reply *ret;
	bool done;
};

static void on_performed(struct http *h, struct http_reply *reply, void *user)
{
	struct waiting *w = user;

	(void)h;
	*w->ret = *reply;
	*reply = (struct http_reply){0};
	w->done = true;
}

/* Takes back the request of http_perform(). */
static void give_up_control(struct http *h)
{
	struct transfer *t = h->busy;

	while (!t->control)
		t = t->next;
	unlink_busy(h, t);
	transfer_free(t);
}

static int outcome_errno(enum http_outcome outcome)
{
	switch (outcome) {
	case HTTP_ANSWERED:
		return 0;
	case HTTP_UNREACHABLE:
		return -EHOSTUNREACH;
	case HTTP_BROKEN:
		return -ECONNRESET;
	case HTTP_TIMEOUT:
	case HTTP_STALLED:
		return -ETIMEDOUT;
	case HTTP_TLS:
		return -EPROTO;
	case HTTP_TOO_LARGE:
		return -EFBIG;
	case HTTP_BAD:
		return -EBADMSG;
	case HTTP_INTERRUPTED:
		return -EINTR;
	}
	abort();
}

int http_perform(struct http *h, const struct http_request *request, struct http_reply *ret,
		 struct error *err)
{
	struct waiting w = {.ret = ret};
	int r;

	*ret = (struct http_reply){.outcome = HTTP_BAD};
	r = start(h, h->control, request, on_performed, &w, err);
	if (r < 0) {
		snprintf(ret->detail, sizeof(ret->detail), "%.255s", err->text);
		return r;
	}
	while (!w.done) {
		if (interrupt_pending()) {
			give_up_control(h);
			ret->outcome = HTTP_INTERRUPTED;
			snprintf(ret->detail, sizeof(ret->detail), "interrupted");
			break;
		}
		step(h, h->control, 1000);
	}
	if (ret->outcome == HTTP_ANSWERED)
		return 0;
	return error_set(err, outcome_errno(ret->outcome), "%s", ret->detail);
}
