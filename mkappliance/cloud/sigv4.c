/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/sigv4.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/percent.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

void sigv4_date(time_t now, char *ret)
{
	struct tm tm;

	if (!gmtime_r(&now, &tm) || strftime(ret, SIGV4_DATE_SIZE, "%Y%m%dT%H%M%SZ", &tm) == 0)
		abort();
}

/* Removes what "." and ".." and empty segments mean (RFC 3986, section 5.2.4), and encodes. */
static void add_path(struct buf *b, const char *path)
{
	_cleanup_strlist_ struct strlist kept = {0};
	bool slash = false;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && memcmp(path, "..", 2) == 0) {
			if (kept.len)
				free(kept.ptr[--kept.len]);
		} else if (len > 1 || (len == 1 && *path != '.')) {
			strlist_addf(&kept, "%.*s", (int)len, path);
		}
		slash = path[len] == '/';
		path += len + slash;
	}
	for (size_t i = 0; i < kept.len; i++) {
		buf_add(b, "/", 1);
		percent_encode(b, kept.ptr[i], "");
	}
	if (slash || kept.len == 0)
		buf_add(b, "/", 1);
}

/* By name, then by value. '=' sorts after '%', '-', '.' and digits, which names hold: byte 1 stands for it meanwhile. */
static void add_query(struct buf *b, const char *query)
{
	_cleanup_strlist_ struct strlist pairs = {0};

	while (query && *query) {
		size_t len = strcspn(query, "&");
		char *pair, *equals;

		strlist_addf(&pairs, "%.*s%s", (int)len, query, memchr(query, '=', len) ? "" : "=");
		pair = pairs.ptr[pairs.len - 1];
		equals = strchr(pair, '=');
		if (equals)
			*equals = 1;
		query += len + (query[len] == '&');
	}
	strlist_sort(&pairs);
	for (size_t i = 0; i < pairs.len; i++) {
		*strchr(pairs.ptr[i], 1) = '=';
		buf_printf(b, "%s%s", i ? "&" : "", pairs.ptr[i]);
	}
}

/* The value without blanks around it, and one space for each run of blanks inside. */
static void add_trimmed(struct buf *b, const char *value)
{
	value += strspn(value, " \t");
	while (*value) {
		size_t word = strcspn(value, " \t"), gap = strspn(value + word, " \t");

		buf_add(b, value, word);
		value += word + gap;
		if (*value)
			buf_add(b, " ", 1);
	}
}

struct header {
	char *name; /* lower case */
	const char *value;
	size_t order;
};

static int compare_headers(const void *a, const void *b)
{
	const struct header *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : x->order < y->order ? -1 : 1;
}

/* Sorted by name; those of the same name stay in their order. To be freed with headers_free(). */
static struct header *sorted_headers(const char *const *lines, size_t *ret_count)
{
	struct header *list = NULL;
	size_t count = 0, cap = 0;

	for (; lines && *lines; lines++) {
		const char *colon = strchr(*lines, ':');

		if (!colon)
			continue;
		array_grow(list, count, cap);
		list[count].name = xstrndup(*lines, (size_t)(colon - *lines));
		for (char *p = list[count].name; *p; p++)
			*p = (char)tolower((unsigned char)*p);
		list[count].value = colon + 1;
		list[count].order = count;
		count++;
	}
	if (count)
		qsort(list, count, sizeof(*list), compare_headers);
	*ret_count = count;
	return list;
}

static void headers_free(struct header *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i].name);
	free(list);
}

/* @canonical: "name:value,value\n" of each; @names: "name;name". */
static void add_headers(const char *const *lines, struct buf *canonical, struct buf *names)
{
	size_t count;
	struct header *list = sorted_headers(lines, &count);

	for (size_t i = 0; i < count; i++) {
		bool again = i > 0 && strcmp(list[i].name, list[i - 1].name) == 0;

		if (again)
			buf_add(canonical, ",", 1);
		else
			buf_printf(canonical, "%s%s:", i ? "\n" : "", list[i].name);
		add_trimmed(canonical, list[i].value);
		if (!again)
			buf_printf(names, "%s%s", i ? ";" : "", list[i].name);
	}
	buf_add(canonical, "\n", 1);
	headers_free(list, count);
}

static char *canonical_request(const struct sigv4_request *request, char **ret_names)
{
	struct buf b = {0}, names = {0};

	buf_printf(&b, "%s\n", request->method);
	add_path(&b, request->path);
	buf_add(&b, "\n", 1);
	add_query(&b, request->query);
	buf_add(&b, "\n", 1);
	add_headers(request->headers, &b, &names);
	*ret_names = buf_steal(&names);
	buf_printf(&b, "\n%s\n%s", *ret_names, request->payload_hash);
	return buf_steal(&b);
}

char *sigv4_canonical(const struct sigv4_request *request)
{
	_cleanup_free_ char *names = NULL;

	return canonical_request(request, &names);
}

static void hmac_text(const struct sha256 *key, const char *text, struct sha256 *ret)
{
	hmac_sha256(key->b, SHA256_SIZE, text, strlen(text), ret);
}

/* The key that signs requests of one day to one service of one region. */
static void signing_key(const struct sigv4_scope *scope, const char *day, struct sha256 *ret)
{
	struct buf secret = {0};

	buf_printf(&secret, "AWS4%s", scope->secret_key);
	hmac_sha256(secret.ptr, secret.len, day, strlen(day), ret);
	explicit_bzero(secret.ptr, secret.len);
	buf_free(&secret);
	hmac_text(ret, scope->region, ret);
	hmac_text(ret, scope->service, ret);
	hmac_text(ret, "aws4_request", ret);
}

char *sigv4_authorization(const struct sigv4_request *request, const struct sigv4_scope *scope)
{
	_cleanup_free_ char *names = NULL, *canonical = canonical_request(request, &names), *to_sign = NULL;
	char date[SIGV4_DATE_SIZE], day[9] = "", hex[SHA256_HEX_SIZE];
	struct sha256 digest, key;

	sigv4_date(scope->now, date);
	memcpy(day, date, 8);
	sha256_of(canonical, strlen(canonical), &digest);
	hex_encode(digest.b, SHA256_SIZE, hex);
	to_sign = xasprintf(ALGORITHM "\n%s\n%s/%s/%s/aws4_request\n%s", date, day, scope->region,
			    scope->service, hex);
	signing_key(scope, day, &key);
	hmac_text(&key, to_sign, &digest);
	explicit_bzero(&key, sizeof(key));
	hex_encode(digest.b, SHA256_SIZE, hex);
	return xasprintf(ALGORITHM " Credential=%s/%s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s",
			 scope->access_key, day, scope->region, scope->service, names, hex);
}
