/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of pax extended headers (POSIX.1-2017, pax, "pax Extended Header"), with star's, GNU's and
 * libarchive's keywords.
 */
#include <errno.h>
#include <string.h>

#include "compose/tar.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/hash.h"

#define XATTRS_MAX 1024

/* One record: "LENGTH KEY=VALUE\n". */
struct record {
	const char *key;
	size_t key_len;
	const char *value;
	size_t len;
};

void tar_ext_free(struct tar_ext *x)
{
	free(x->path);
	free(x->real_path);
	free(x->link);
	free(x->map.runs);
	for (size_t i = 0; i < x->attributes.xattr_count; i++) {
		free(x->attributes.xattrs[i].name);
		free(x->attributes.xattrs[i].value);
	}
	free(x->attributes.xattrs);
	*x = (struct tar_ext){0};
}

bool tar_decimal(const char *text, size_t len, uint64_t *ret)
{
	uint64_t v = 0;

	if (len == 0 || len > 19)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	if (v > INT64_MAX)
		return false;
	*ret = v;
	return true;
}

/* "[-]SECONDS[.FRACTION]", rounded towards the past. */
static bool parse_time(const char *text, size_t len, int64_t *ret)
{
	bool negative = len > 0 && text[0] == '-';
	const char *dot;
	uint64_t v;
	bool fraction = false;

	text += negative;
	len -= negative;
	dot = memchr(text, '.', len);
	for (const char *p = dot ? dot + 1 : text + len; p < text + len; p++) {
		if (*p < '0' || *p > '9')
			return false;
		fraction |= *p != '0';
	}
	if (!tar_decimal(text, dot ? (size_t)(dot - text) : len, &v))
		return false;
	*ret = negative ? -(int64_t)v - (fraction && v < INT64_MAX) : (int64_t)v;
	return true;
}

static char *percent_decode(const char *text, size_t len)
{
	char *out = xmalloc(len + 1);
	size_t n = 0;
	uint8_t byte;

	for (size_t i = 0; i < len; i++) {
		char hex[3] = {0};

		out[n] = text[i];
		if (text[i] == '%' && len - i > 2) {
			memcpy(hex, text + i + 1, 2);
			if (hex_decode(hex, &byte, 1)) {
				out[n] = (char)byte;
				i += 2;
			}
		}
		n++;
	}
	out[n] = 0;
	return out;
}

static bool key_is(const struct record *r, const char *key)
{
	return r->key_len == strlen(key) && memcmp(r->key, key, r->key_len) == 0;
}

static bool key_begins(const struct record *r, const char *prefix, struct record *ret_rest)
{
	size_t n = strlen(prefix);

	if (r->key_len <= n || memcmp(r->key, prefix, n) != 0)
		return false;
	*ret_rest = *r;
	ret_rest->key += n;
	ret_rest->key_len -= n;
	return true;
}

static void set_text(char **field, size_t *field_len, const struct record *r)
{
	free(*field);
	*field = r->len ? xmemdup(r->value, r->len) : NULL;
	*field_len = r->len;
}

/* An empty value takes an earlier one back. */
static bool set_number(bool *has, uint64_t *field, const struct record *r)
{
	*has = r->len > 0;
	return r->len == 0 || tar_decimal(r->value, r->len, field);
}

static bool take_xattr(struct tar_ext *x, const struct record *r)
{
	struct record name;

	if (x->attributes.xattr_count >= XATTRS_MAX)
		return false;
	if (key_begins(r, "SCHILY.xattr.", &name)) {
		entry_set_xattr(&x->attributes, xstrndup(name.key, name.key_len), xmemdup(r->value, r->len),
				r->len);
		return true;
	}
	if (key_begins(r, "LIBARCHIVE.xattr.", &name)) {
		_cleanup_buf_ struct buf value = {0};
		size_t len;

		if (!base64_decode(r->value, r->len, &value))
			return false;
		len = value.len;
		entry_set_xattr(&x->attributes, percent_decode(name.key, name.key_len), buf_steal(&value),
				len);
	}
	return true;
}

static bool add_map_offset(struct tar_ext *x, const struct record *r)
{
	uint64_t v;

	if (x->run_open || !tar_decimal(r->value, r->len, &v) || !tar_map_add(&x->map, v, 0))
		return false;
	x->run_open = true;
	x->sparse = SPARSE_MAP;
	return true;
}

static bool add_map_length(struct tar_ext *x, const struct record *r)
{
	uint64_t v;

	if (!x->run_open || !tar_decimal(r->value, r->len, &v))
		return false;
	x->run_open = false;
	x->map.runs[x->map.len - 1].length = v;
	return true;
}

static bool take_sparse(struct tar_ext *x, const struct record *r)
{
	uint64_t v;

	if (key_is(r, "GNU.sparse.major")) {
		if (!tar_decimal(r->value, r->len, &v) || v > 1)
			return false;
		x->sparse = v == 1 ? SPARSE_FRONT : SPARSE_MAP;
	} else if (key_is(r, "GNU.sparse.name")) {
		set_text(&x->real_path, &x->real_path_len, r);
	} else if (key_is(r, "GNU.sparse.realsize") || key_is(r, "GNU.sparse.size")) {
		return set_number(&x->has_real_size, &x->real_size, r);
	} else if (key_is(r, "GNU.sparse.map")) {
		x->sparse = SPARSE_MAP;
		return tar_sparse_list(r->value, r->len, &x->map);
	} else if (key_is(r, "GNU.sparse.offset")) {
		return add_map_offset(x, r);
	} else if (key_is(r, "GNU.sparse.numbytes")) {
		return add_map_length(x, r);
	}
	return true;
}

/*
 * False when the value is not what the keyword wants. A keyword that is not known is passed over, as POSIX
 * says.
 */
static bool take(struct tar_ext *x, const struct record *r)
{
	struct record rest;

	if (key_is(r, "size"))
		return set_number(&x->has_size, &x->size, r);
	if (key_is(r, "uid"))
		return set_number(&x->has_uid, &x->uid, r);
	if (key_is(r, "gid"))
		return set_number(&x->has_gid, &x->gid, r);
	if (key_is(r, "SCHILY.devmajor"))
		return set_number(&x->has_rdev_major, &x->rdev_major, r);
	if (key_is(r, "SCHILY.devminor"))
		return set_number(&x->has_rdev_minor, &x->rdev_minor, r);
	if (key_begins(r, "GNU.sparse.", &rest))
		return take_sparse(x, r);
	if (key_is(r, "mtime")) {
		x->has_mtime = r->len > 0;
		return r->len == 0 || parse_time(r->value, r->len, &x->mtime);
	}
	if (key_is(r, "path"))
		set_text(&x->path, &x->path_len, r);
	else if (key_is(r, "linkpath"))
		set_text(&x->link, &x->link_len, r);
	else if (key_begins(r, "SCHILY.acl.", &rest))
		x->acl = true;
	else
		return take_xattr(x, r);
	return true;
}

/* Splits the next record off; how many bytes it takes, 0 when it is none. */
static size_t next_record(const char *data, size_t len, struct record *ret)
{
	const char *space = memchr(data, ' ', len < 20 ? len : 20);
	const char *key, *equals, *end;
	uint64_t n;

	if (!space || !tar_decimal(data, (size_t)(space - data), &n) || n > len)
		return 0;
	key = space + 1;
	end = data + n;
	if (end - key < 2 || end[-1] != '\n')
		return 0;
	equals = memchr(key, '=', (size_t)(end - key));
	if (!equals || equals == key || memchr(key, 0, (size_t)(equals - key)))
		return 0;
	*ret = (struct record){.key = key, .key_len = (size_t)(equals - key), .value = equals + 1};
	ret->len = (size_t)(end - 1 - ret->value);
	return (size_t)n;
}

int tar_pax_parse(const char *data, size_t len, struct tar_ext *x, struct error *err)
{
	while (len > 0) {
		struct record r;
		size_t n = next_record(data, len, &r);

		if (n == 0)
			return error_set(err, -EINVAL, "a pax header is damaged");
		if (!take(x, &r))
			return error_set(err, -EINVAL, "pax keyword '%.*s' has a value that it cannot have",
					 (int)(r.key_len < 64 ? r.key_len : 64), r.key);
		data += n;
		len -= n;
	}
	if (x->run_open)
		return error_set(err, -EINVAL, "a sparse map is not one");
	return 0;
}
