/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/yaml.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "lib/cleanup.h"

#define DEPTH_MAX 32

struct reader {
	yaml_parser_t *parser;
	const char *name;
};

#define _cleanup_event_ __attribute__((cleanup(yaml_event_delete)))

static int fail_at(const struct reader *r, const yaml_mark_t *mark, const char *what, struct error *err)
{
	return error_usage(err, "%s:%zu: %s", r->name, mark->line + 1, what);
}

static int next(struct reader *r, yaml_event_t *ret, struct error *err)
{
	if (yaml_parser_parse(r->parser, ret))
		return 0;
	return fail_at(r, &r->parser->problem_mark,
		       r->parser->problem ? r->parser->problem : "this is not YAML", err);
}

static bool is_null(const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;

	return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (*text == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static int check_text(const struct reader *r, const yaml_event_t *e, struct error *err)
{
	if (strlen((const char *)e->data.scalar.value) == e->data.scalar.length)
		return 0;
	return fail_at(r, &e->start_mark, "a value holds a NUL", err);
}

static int read_value(struct reader *r, const yaml_event_t *e, unsigned depth, struct json *parent,
		      const char *key, struct error *err);

static void put(struct json *parent, const char *key, struct json *value)
{
	if (key)
		js_set(parent, key, value);
	else
		js_append(parent, value);
}

static int read_sequence(struct reader *r, unsigned depth, struct json *array, struct error *err)
{
	for (;;) {
		_cleanup_event_ yaml_event_t e = {0};
		int ret = next(r, &e, err);

		if (ret < 0 || e.type == YAML_SEQUENCE_END_EVENT)
			return ret;
		ret = read_value(r, &e, depth, array, NULL, err);
		if (ret < 0)
			return ret;
	}
}

static int read_mapping(struct reader *r, unsigned depth, struct json *object, struct error *err)
{
	for (;;) {
		_cleanup_event_ yaml_event_t key = {0}, value = {0};
		const char *name;
		int ret = next(r, &key, err);

		if (ret < 0 || key.type == YAML_MAPPING_END_EVENT)
			return ret;
		if (key.type != YAML_SCALAR_EVENT)
			return fail_at(r, &key.start_mark, "a key must be a name", err);
		ret = check_text(r, &key, err);
		if (ret < 0)
			return ret;
		name = (const char *)key.data.scalar.value;
		if (js_member(object, name))
			return fail_at(r, &key.start_mark, "this key is there twice", err);
		ret = next(r, &value, err);
		if (ret == 0)
			ret = read_value(r, &value, depth, object, name, err);
		if (ret < 0)
			return ret;
	}
}

/* The value that begins with @e, as member @key of @parent, or at its end. */
static int read_value(struct reader *r, const yaml_event_t *e, unsigned depth, struct json *parent,
		      const char *key, struct error *err)
{
	_cleanup_json_ struct json *j = NULL;
	int ret;

	if (e->type == YAML_ALIAS_EVENT)
		return fail_at(r, &e->start_mark, "aliases are not taken here; write the value out", err);
	if (e->type == YAML_SCALAR_EVENT) {
		ret = check_text(r, e, err);
		if (ret < 0)
			return ret;
		if (key)
			js_set_string(parent, key, is_null(e) ? NULL : (const char *)e->data.scalar.value);
		else
			js_append_string(parent, (const char *)e->data.scalar.value);
		return 0;
	}
	if (depth >= DEPTH_MAX)
		return fail_at(r, &e->start_mark, "nested too deeply", err);
	if (e->type == YAML_SEQUENCE_START_EVENT) {
		j = js_array_new();
		ret = read_sequence(r, depth + 1, j, err);
	} else {
		j = js_object_new();
		ret = read_mapping(r, depth + 1, j, err);
	}
	if (ret == 0)
		put(parent, key, steal_pointer(&j));
	return ret;
}

/* Everything between the stream's start and its end; the document's value is the one element of @documents. */
static int read_stream(struct reader *r, struct json *documents, struct error *err)
{
	for (;;) {
		_cleanup_event_ yaml_event_t e = {0};
		int ret = next(r, &e, err);

		if (ret < 0 || e.type == YAML_STREAM_END_EVENT)
			return ret;
		if (e.type == YAML_STREAM_START_EVENT || e.type == YAML_DOCUMENT_START_EVENT ||
		    e.type == YAML_DOCUMENT_END_EVENT)
			continue;
		if (js_array_len(documents) > 0)
			return fail_at(r, &e.start_mark, "only one document is expected", err);
		ret = read_value(r, &e, 0, documents, NULL, err);
		if (ret < 0)
			return ret;
	}
}

int yaml_parse(const char *text, size_t len, const char *name, struct json **ret, struct error *err)
{
	_cleanup_json_ struct json *documents = js_array_new();
	__attribute__((cleanup(yaml_parser_delete))) yaml_parser_t parser;
	struct reader r = {.parser = &parser, .name = name};
	int code;

	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	code = read_stream(&r, documents, err);
	if (code < 0)
		return code;
	*ret = js_array_len(documents) ? js_share(js_array_get(documents, 0)) : js_object_new();
	return 0;
}
