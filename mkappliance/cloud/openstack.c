/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/openstack_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cloud/credentials.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"

#define STREAM_TIMEOUT_MS (24u * 3600 * 1000)
#define STREAM_STALL_S	  120 /* the service hashes and stores what it got before it answers */

int openstack_open(struct openstack_config *config, struct openstack **ret, struct error *err)
{
	struct openstack *o = xcalloc(1, sizeof(*o));
	int r;

	o->config = *config;
	*config = (struct openstack_config){0};
	r = http_new(&(struct http_options){.ca_file = o->config.ca_file}, &o->http, err);
	if (r < 0) {
		openstack_close(o);
		return r;
	}
	*ret = o;
	return 0;
}

void openstack_close(struct openstack *o)
{
	if (!o)
		return;
	http_free(o->http);
	secret_free(o->token);
	free(o->project);
	free(o->user);
	free(o->region);
	free(o->endpoint);
	openstack_config_free(&o->config);
	free(o);
}

const char *openstack_project(const struct openstack *o)
{
	return o->project;
}

const char *openstack_user(const struct openstack *o)
{
	return o->user;
}

const char *openstack_region(const struct openstack *o)
{
	return o->region;
}

const struct retry_stats *openstack_retries(const struct openstack *o)
{
	return &o->stats;
}

/* ---- what an answer means ---- */

/* The service's own words: {"error": {"message": ...}} of Keystone, a page of HTML or plain text of Glance. */
static void words_of(const struct http_reply *reply, char *ret, size_t size)
{
	_cleanup_json_ struct json *j = NULL;
	struct error ignored = ERROR_INIT;
	const char *text = NULL;
	bool tag = false, blank = true;
	size_t n = 0;

	if (reply->outcome != HTTP_ANSWERED) {
		snprintf(ret, size, "%s", reply->detail);
		return;
	}
	if (reply->body.len && js_parse(reply->body.ptr, reply->body.len, "answer", &j, &ignored) == 0)
		text = js_string(js_get(j, "error.message"));
	if (!text && !j)
		text = reply->body.ptr;
	/* Without what is between < and >, and with single blanks. */
	for (; text && *text && n + 1 < size; text++) {
		unsigned char c = (unsigned char)*text;
		bool space = c <= ' ';

		tag = c == '<' || (tag && c != '>');
		if (tag || c == '>' || (space && blank))
			continue;
		ret[n++] = space ? ' ' : (char)c;
		blank = space;
	}
	ret[n] = 0;
	error_one_line(ret);
}

/* Whether it is worth another try, and why. */
static bool is_passing(const struct http_reply *reply, enum retry_reason *ret)
{
	if (reply->outcome != HTTP_ANSWERED)
		return retry_outcome(reply->outcome, ret);
	*ret = reply->status == 429 ? RETRY_THROTTLED : RETRY_SERVER;
	return reply->status == 429 || reply->status >= 500;
}

static int status_errno(const struct http_reply *reply)
{
	switch (reply->outcome == HTTP_ANSWERED ? reply->status : 0) {
	case 401:
		return -EKEYREJECTED;
	case 403:
		return -EACCES;
	case 404:
		return -ENOENT;
	case 409:
		return -EEXIST;
	case 413:
		return -EDQUOT;
	default:
		return reply->outcome == HTTP_TLS	    ? -EPROTO
		       : reply->outcome == HTTP_INTERRUPTED ? -EINTR
							    : -EIO;
	}
}

int openstack_fail(const char *action, const struct http_reply *reply, struct error *err)
{
	const char *id = http_header(reply, "x-openstack-request-id");
	int code = status_errno(reply);
	char words[400];

	words_of(reply, words, sizeof(words));
	if (!words[0])
		snprintf(words, sizeof(words), "no reason given");
	if (reply->outcome != HTTP_ANSWERED)
		return error_set(err, code, "%s: %s", action, words);
	return error_set(err, code, "%s: status %d: %s%s%s%s", action, reply->status, words,
			 id ? " (request " : "", id ? id : "", id ? ")" : "");
}

int openstack_wait_again(struct openstack *o, struct retry *state, const struct http_reply *reply, bool *ret,
			 struct error *err)
{
	/* Where nobody was ever reached it is the address that is wrong, and whoever waits wants to know soon. */
	static const struct retry_policy first = {
		.attempts = 3, .throttled = 30, .base_ms = 500, .cap_ms = 2000};
	enum retry_reason why;
	uint64_t delay = 0;

	*ret = is_passing(reply, &why) && retry_again(o->token ? &retry_policy_default : &first, state,
						      &o->stats, why, http_retry_after(reply), &delay);
	return *ret ? interrupt_sleep(delay, err) : 0;
}

/* ---- the image service ---- */

static bool is_expected(const int *expected, int status)
{
	for (; expected && *expected; expected++)
		if (*expected == status)
			return true;
	return status / 100 == 2;
}

static int one_attempt(struct openstack *o, const struct openstack_call *call, const char *text,
		       struct http_reply *ret, struct error *err)
{
	_cleanup_free_ char *url = xasprintf("%s%s", o->endpoint, call->path);
	_cleanup_free_ char *token = xasprintf("X-Auth-Token: %s", o->token);
	_cleanup_free_ char *type =
		xasprintf("Content-Type: %s", call->content_type ? call->content_type : "application/json");
	_cleanup_free_ char *range = xasprintf("Range: %s", call->range ? call->range : "");
	const char *headers[4] = {token}; /* and NULL at the end */
	struct http_request request = {.method = call->method,
				       .url = url,
				       .headers = headers,
				       .body = text,
				       .body_len = text ? strlen(text) : (size_t)call->read_len,
				       .read = call->read,
				       .read_user = call->read_user,
				       .response_max = call->response_max,
				       .timeout_ms = call->read ? STREAM_TIMEOUT_MS : 0,
				       .stall_s = call->read ? STREAM_STALL_S : 0};
	size_t n = 1;
	int r;

	if (text || call->read)
		headers[n++] = type;
	if (call->range)
		headers[n++] = range;
	http_reply_free(ret);
	r = http_perform(o->http, &request, ret, err);
	explicit_bzero(token, strlen(token));
	return r;
}

int openstack_call(struct openstack *o, const struct openstack_call *call, const int *expected,
		   struct http_reply *ret, struct error *err)
{
	_cleanup_free_ char *text = call->json ? js_text(call->json, true) : NULL;
	struct retry state = {0};
	uint64_t delay;
	bool again = true;
	int r = 0;

	while (r == 0 && again) {
		struct error ignored = ERROR_INIT;

		r = openstack_authenticate(o, 60, err);
		if (r < 0)
			return r;
		(void)one_attempt(o, call, text, ret, &ignored);
		if (ret->outcome == HTTP_ANSWERED && is_expected(expected, ret->status))
			return 0;
		if (call->read)
			break;
		again = ret->outcome == HTTP_ANSWERED && ret->status == 401;
		if (again) {
			/* Taken back before its time. */
			o->expires = 0;
			again = retry_again(&retry_policy_default, &state, &o->stats, RETRY_CREDENTIALS, 0,
					    &delay);
		} else {
			r = openstack_wait_again(o, &state, ret, &again, err);
		}
	}
	return r < 0 ? r : openstack_fail(call->action, ret, err);
}
