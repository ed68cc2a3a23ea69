/* SPDX-License-Identifier: Apache-2.0 */
/* Looking into an answer; nothing here knows libcurl. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cloud/http.h"

const char *http_outcome_name(enum http_outcome outcome)
{
	switch (outcome) {
	case HTTP_ANSWERED:
		return "answered";
	case HTTP_UNREACHABLE:
		return "unreachable";
	case HTTP_BROKEN:
		return "connection broken";
	case HTTP_TIMEOUT:
		return "timeout";
	case HTTP_STALLED:
		return "stalled";
	case HTTP_TLS:
		return "TLS";
	case HTTP_TOO_LARGE:
		return "answer too large";
	case HTTP_BAD:
		return "no HTTP";
	case HTTP_INTERRUPTED:
		return "interrupted";
	}
	abort();
}

void http_reply_free(struct http_reply *reply)
{
	/* It may hold credentials. */
	if (reply->body.ptr)
		explicit_bzero(reply->body.ptr, reply->body.len < 65536 ? reply->body.len : 65536);
	buf_free(&reply->body);
	strlist_free(&reply->headers);
	*reply = (struct http_reply){0};
}

const char *http_header(const struct http_reply *reply, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < reply->headers.len; i++) {
		const char *line = reply->headers.ptr[i];

		if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
			line += len + 1;
			return line + strspn(line, " \t");
		}
	}
	return NULL;
}

unsigned http_retry_after(const struct http_reply *reply)
{
	const char *value = http_header(reply, "Retry-After");
	unsigned long n;
	char *end;

	if (!value || !isdigit((unsigned char)*value))
		return 0;
	n = strtoul(value, &end, 10);
	if (*end)
		return 0;
	return n > 3600 ? 3600 : (unsigned)n;
}

bool http_date(const struct http_reply *reply, time_t *ret)
{
	const char *value = http_header(reply, "Date"), *end;
	struct tm tm = {0};

	/* "Sun, 06 Nov 1994 08:49:37 GMT": the one form that may be generated. Names are English: the locale is never set. */
	end = value ? strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm) : NULL;
	if (!end || *end)
		return false;
	*ret = timegm(&tm);
	return true;
}
