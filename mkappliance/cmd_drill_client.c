/* SPDX-License-Identifier: Apache-2.0 */
/* The client of a drill; declared in cmd_drill.h. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "cloud/http.h"
#include "cmd_drill.h"
#include "lib/cleanup.h"

#define ASK_MS	     50	   /* between two requests */
#define ASK_PATIENCE 20000 /* for one answer, milliseconds */

struct drill_client {
	pthread_t thread;
	struct http *http;
	char *url;
	bool stop; /* atomic */
	uint64_t requests, lost;
};

static void *ask_all_the_time(void *data)
{
	struct drill_client *c = data;
	const struct http_request request = {
		.method = "GET", .url = c->url, .timeout_ms = ASK_PATIENCE, .stall_s = ASK_PATIENCE / 1000};

	while (!__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE)) {
		_cleanup_reply_ struct http_reply reply = {0};
		struct error ignored = ERROR_INIT;
		int r = http_perform(c->http, &request, &reply, &ignored);

		if (r < 0 && reply.outcome == HTTP_INTERRUPTED)
			break;
		c->requests++;
		if (r < 0 ? reply.outcome != HTTP_TOO_LARGE : reply.status >= 500)
			c->lost++;
		(void)poll(NULL, 0, ASK_MS);
	}
	return NULL;
}

static void client_free(struct drill_client *c)
{
	http_free(c->http);
	free(c->url);
	free(c);
}

/* Signals belong to the main thread. */
int drill_client_start(const char *url, struct drill_client **ret, struct error *err)
{
	struct drill_client *c;
	sigset_t all, old;
	int r;

	*ret = NULL;
	if (!url)
		return 0;
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return error_usage(err, "--url: '%s' is no URL of HTTP (http://NAME/PATH)", url);
	c = xcalloc(1, sizeof(*c));
	c->url = xstrdup(url);
	r = http_new(&(const struct http_options){.connections = 1}, &c->http, err);
	if (r < 0) {
		client_free(c);
		return r;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&c->thread, NULL, ask_all_the_time, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r != 0) {
		client_free(c);
		return error_errno(err, -r, "a thread for the client");
	}
	*ret = c;
	return 0;
}

void drill_client_stop(struct drill_client *c, struct drill *d)
{
	if (!c)
		return;
	__atomic_store_n(&c->stop, true, __ATOMIC_RELEASE);
	(void)pthread_join(c->thread, NULL);
	d->measured = true;
	d->requests = c->requests;
	d->lost = c->lost;
	client_free(c);
}
