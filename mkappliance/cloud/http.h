/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 over libcurl, which stays inside http.c. One struct http belongs to one thread; it holds the connections, which
 * are used again, and runs any number of requests at a time:
 *
 *   http_submit(h, &request, on_done, user);	as often as wanted, also from within on_done
 *   while (http_step(h, 100) > 0) ...		calls on_done for each request that came to its end
 *
 * http_perform() is one request from start to end; requests that were submitted stand still meanwhile.
 * Nothing is tried again here: that is retry.h. TLS is always verified, at least 1.2. Proxies come from the environment
 * (https_proxy, no_proxy: curl(1), ENVIRONMENT).
 */
#ifndef MKAPPLIANCE_CLOUD_HTTP_H
#define MKAPPLIANCE_CLOUD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "lib/error.h"
#include "lib/mem.h"

struct http;

struct http_options {
	const char *ca_file;  /* PEM with the certificates to trust; NULL: the system's */
	unsigned connections; /* how many are kept open, 0: 8 */
	unsigned buffer;      /* bytes of the send buffer of each connection, 0: libcurl's 64 KiB */
};

int http_new(const struct http_options *options, struct http **ret, struct error *err);
/* Requests in flight are given up without a call of their on_done. NULL is fine. */
void http_free(struct http *h);
void http_freep(struct http **h);
#define _cleanup_http_ __attribute__((cleanup(http_freep)))

struct http_request {
	const char *method;
	const char *url;	    /* http or https */
	const char *const *headers; /* "Name: value", ends in NULL; may be NULL */
	const void *body;	    /* must stay where it is until the request has ended; NULL: none */
	size_t body_len; /* with neither @body nor @read: 0, and PUT and POST send "Content-Length: 0" */
	/*
	 * Instead of @body: writes up to @size bytes from @offset on to @buf and returns how many, or -errno, which ends the request
	 * (HTTP_BROKEN). Offsets rise, but for a connection that died before its first byte. Called by the thread that runs the requests.
	 */
	int64_t (*read)(void *user, uint64_t offset, void *buf, size_t size);
	void *read_user;
	size_t response_max; /* bytes of the answer's body, 0: 1 MiB; a larger one is HTTP_TOO_LARGE */
	unsigned timeout_ms; /* for all of it, 0: 60 s */
	unsigned connect_ms; /* 0: 5 s */
	unsigned stall_s;    /* ends when less than 1 KiB/s moved for so long, 0: 15 s */
	bool no_proxy;	     /* for addresses of the machine itself */
};

/* How it ended. Everything but HTTP_ANSWERED, HTTP_TLS, HTTP_TOO_LARGE, HTTP_BAD and HTTP_INTERRUPTED may be tried again. */
enum http_outcome {
	HTTP_ANSWERED,	  /* whole answer, whatever its status */
	HTTP_UNREACHABLE, /* no address, no connection */
	HTTP_BROKEN,	  /* the connection ended early: reset, short body */
	HTTP_TIMEOUT,	  /* past its time */
	HTTP_STALLED,	  /* connected, but nothing moves */
	HTTP_TLS,	  /* certificate or handshake */
	HTTP_TOO_LARGE,	  /* the answer is larger than response_max, or has too many headers */
	HTTP_BAD,	  /* the URL, or the answer is no HTTP */
	HTTP_INTERRUPTED, /* a signal came (http_perform only) */
};

const char *http_outcome_name(enum http_outcome outcome);

struct http_reply {
	enum http_outcome outcome;
	int status;		/* 0 without an answer */
	struct buf body;	/* also that of an error */
	struct strlist headers; /* "Name: value", of the final answer */
	char detail[256];	/* one line, unless HTTP_ANSWERED */
	uint64_t total_ns;	/* from the start to the end */
	uint64_t sent;		/* bytes of the body that went out */
	bool new_connection;	/* rather than one used again */
};

void http_reply_free(struct http_reply *reply);
#define _cleanup_reply_ __attribute__((cleanup(http_reply_free)))

/* The value of a header whatever its case, without blanks around it; NULL: not there. Borrowed. */
const char *http_header(const struct http_reply *reply, const char *name);
/* Seconds of "Retry-After: N", at most 3600; 0: none. A date there is not understood. RFC 9110, section 10.2.3. */
unsigned http_retry_after(const struct http_reply *reply);
/* The time that the "Date" header says, false when there is none. RFC 9110, section 6.6.1. */
bool http_date(const struct http_reply *reply, time_t *ret);

/* @reply is the callee's to read, and to take the body of (steal and zero it); the rest is freed behind it. */
typedef void http_done_fn(struct http *h, struct http_reply *reply, void *user);

/*
 * Takes over what @request says (it may go afterwards, but for the body). Fails with -EINVAL for what cannot be sent: a URL or
 * a header with control characters.
 */
int http_submit(struct http *h, const struct http_request *request, http_done_fn *done, void *user,
		struct error *err);

/*
 * Sends and receives what can be, waits up to @wait_ms for more unless something ended, and calls the done functions.
 * Returns the number of requests in flight. A signal ends the waiting, but not the requests: ask interrupt_pending().
 */
unsigned http_step(struct http *h, unsigned wait_ms);
/* Ends the waiting of http_step() from another thread. */
void http_wake(struct http *h);
/* Gives up everything in flight, without calls of their done functions. */
void http_abandon(struct http *h);

/*
 * One request to its end. 0 when there is an answer, whatever its status; -errno with the detail as message otherwise, and
 * @ret->outcome says which (@ret is always to be freed). -EINTR after a signal.
 */
int http_perform(struct http *h, const struct http_request *request, struct http_reply *ret,
		 struct error *err);

#endif
