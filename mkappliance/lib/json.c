/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/hash.h"

/* struct json is never defined: it is jansson's json_t under a name that the rest may see. */
static json_t *in(const struct json *j)
{
	return (json_t *)(uintptr_t)j;
}

static struct json *out(json_t *j)
{
	if (!j)
		abort(); /* only for lack of memory: every string is made valid first */
	return (struct json *)j;
}

static void must(int r)
{
	if (r != 0)
		abort();
}

/* Length of the valid UTF-8 sequence at @p, 0 when there is none. RFC 3629, section 4. */
static size_t utf8_len(const unsigned char *p)
{
	static const unsigned char low[] = {0, 0, 0x80, 0x80, 0x80};
	size_t n = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if (p[i] < low[n] || p[i] > 0xbf)
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
	    (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

/* @text with each byte that is not UTF-8 as U+FFFD. To be freed. */
static char *valid_text(const char *text)
{
	struct buf b = {0};

	for (const char *p = text; *p;) {
		size_t n = utf8_len((const unsigned char *)p);

		if (n == 0) {
			buf_add(&b, "\xef\xbf\xbd", 3);
			p++;
		} else {
			buf_add(&b, p, n);
			p += n;
		}
	}
	return buf_steal(&b);
}

static json_t *string_of(const char *value)
{
	_cleanup_free_ char *text = NULL;

	if (!value)
		return json_null();
	text = valid_text(value);
	return json_string_nocheck(text);
}

struct json *js_object_new(void)
{
	return out(json_object());
}

struct json *js_array_new(void)
{
	return out(json_array());
}

void js_free(struct json *j)
{
	if (j)
		json_decref(in(j));
}

void js_freep(struct json **j)
{
	js_free(*j);
}

void js_set(struct json *object, const char *key, struct json *value)
{
	_cleanup_free_ char *text = valid_text(key);

	must(json_object_set_new_nocheck(in(object), text, in(value)));
}

void js_set_string(struct json *object, const char *key, const char *value)
{
	js_set(object, key, out(string_of(value)));
}

void js_set_int(struct json *object, const char *key, int64_t value)
{
	js_set(object, key, out(json_integer(value)));
}

void js_set_real(struct json *object, const char *key, double value)
{
	js_set(object, key, out(isfinite(value) ? json_real(value) : json_null()));
}

void js_set_bool(struct json *object, const char *key, bool value)
{
	js_set(object, key, out(json_boolean(value)));
}

void js_set_bytes(struct json *object, const char *key, const void *data, size_t len)
{
	_cleanup_free_ char *hex = xmalloc(2 * len + 1);

	hex_encode(data, len, hex);
	js_set_string(object, key, hex);
}

void js_append(struct json *array, struct json *value)
{
	must(json_array_append_new(in(array), in(value)));
}

struct json *js_share(const struct json *j)
{
	return out(json_incref(in(j)));
}

void js_append_string(struct json *array, const char *value)
{
	js_append(array, out(string_of(value)));
}

void js_append_int(struct json *array, int64_t value)
{
	js_append(array, out(json_integer(value)));
}

char *js_text(const struct json *j, bool compact)
{
	char *text = json_dumps(in(j), (compact ? JSON_COMPACT : JSON_INDENT(2)) | JSON_ENCODE_ANY |
					       JSON_REAL_PRECISION(9));
	char *with_newline;

	if (!text)
		abort();
	if (compact)
		return text;
	with_newline = xasprintf("%s\n", text);
	free(text);
	return with_newline;
}

int js_parse(const char *text, size_t len, const char *name, struct json **ret, struct error *err)
{
	json_error_t e;
	json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	int depth = 0;
	bool quoted = false;

	/* jansson allows 2048 levels; nothing of ours has more than a few. */
	for (size_t i = 0; j && i < len; i++) {
		if (text[i] == '\\' && quoted)
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '{' || text[i] == '['))
			depth++;
		else if (!quoted && (text[i] == '}' || text[i] == ']'))
			depth--;
		if (depth > 64) {
			json_decref(j);
			return error_set(err, -EINVAL, "%s: not the JSON expected: nested too deep", name);
		}
	}
	if (!j)
		return error_set(err, -EINVAL, "%s:%d:%d: not valid JSON: %s", name, e.line, e.column,
				 e.text);
	*ret = out(j);
	return 0;
}

bool js_is_object(const struct json *j)
{
	return j && json_typeof(in(j)) == JSON_OBJECT;
}

bool js_is_array(const struct json *j)
{
	return j && json_typeof(in(j)) == JSON_ARRAY;
}

bool js_is_null(const struct json *j)
{
	return !j || json_typeof(in(j)) == JSON_NULL;
}

const struct json *js_get(const struct json *object, const char *path)
{
	const char *dot = strchr(path, '.');
	_cleanup_free_ char *key = NULL;
	json_t *value;

	if (!object)
		return NULL;
	if (!dot)
		return (const struct json *)json_object_get(in(object), path);
	key = xstrndup(path, (size_t)(dot - path));
	value = json_object_get(in(object), key);
	return value ? js_get(out(value), dot + 1) : NULL;
}

const struct json *js_member(const struct json *object, const char *name)
{
	return object ? (const struct json *)json_object_get(in(object), name) : NULL;
}

bool js_next(const struct json *object, void **it, const char **ret_name, const struct json **ret_value)
{
	if (!js_is_object(object))
		return false;
	*it = *it ? json_object_iter_next(in(object), *it) : json_object_iter(in(object));
	if (!*it)
		return false;
	*ret_name = json_object_iter_key(*it);
	*ret_value = out(json_object_iter_value(*it));
	return true;
}

size_t js_array_len(const struct json *array)
{
	return js_is_array(array) ? json_array_size(in(array)) : 0;
}

const struct json *js_array_get(const struct json *array, size_t i)
{
	return js_is_array(array) ? (const struct json *)json_array_get(in(array), i) : NULL;
}

const char *js_string(const struct json *j)
{
	return j ? json_string_value(in(j)) : NULL;
}

bool js_int(const struct json *j, int64_t *ret)
{
	if (!j || json_typeof(in(j)) != JSON_INTEGER)
		return false;
	*ret = json_integer_value(in(j));
	return true;
}

bool js_real(const struct json *j, double *ret)
{
	if (!j || !json_is_number(in(j)))
		return false;
	*ret = json_number_value(in(j));
	return true;
}

bool js_bool(const struct json *j, bool *ret)
{
	if (!j || (json_typeof(in(j)) != JSON_TRUE && json_typeof(in(j)) != JSON_FALSE))
		return false;
	*ret = json_typeof(in(j)) == JSON_TRUE;
	return true;
}

int js_need_string(const struct json *object, const char *path, const char **ret, struct error *err)
{
	const char *s = js_string(js_get(object, path));

	if (!s)
		return error_set(err, -EINVAL, "'%s' is missing or not a string", path);
	*ret = s;
	return 0;
}

int js_need_int(const struct json *object, const char *path, int64_t min, int64_t max, int64_t *ret,
		struct error *err)
{
	int64_t v;

	if (!js_int(js_get(object, path), &v))
		return error_set(err, -EINVAL, "'%s' is missing or not an integer", path);
	if (v < min || v > max)
		return error_set(err, -ERANGE, "'%s' is %jd, not within %jd and %jd", path, (intmax_t)v,
				 (intmax_t)min, (intmax_t)max);
	*ret = v;
	return 0;
}

int js_need_bytes(const struct json *object, const char *path, void *data, size_t len, struct error *err)
{
	const char *s = NULL;
	int r = js_need_string(object, path, &s, err);

	if (r < 0)
		return r;
	if (!hex_decode(s, data, len))
		return error_set(err, -EINVAL, "'%s' is not %zu hexadecimal digits", path, 2 * len);
	return 0;
}
