/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON documents. jansson stays inside json.c. Writing keeps the order in which members were set,
 * so the same data gives the same text. Strings that are not UTF-8 (file names) are written with each foreign
 * byte as U+FFFD; where the exact bytes matter use js_set_bytes(), which writes hexadecimal.
 */
#ifndef MKAPPLIANCE_LIB_JSON_H
#define MKAPPLIANCE_LIB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/mem.h"

struct json;

/* ---- writing ---- */
struct json *js_object_new(void);
struct json *js_array_new(void);
void js_free(struct json *j);
void js_freep(struct json **j);
#define _cleanup_json_ __attribute__((cleanup(js_freep)))

void js_set_string(struct json *object, const char *key, const char *value); /* NULL: null */
void js_set_int(struct json *object, const char *key, int64_t value);
void js_set_real(struct json *object, const char *key, double value); /* infinite, not a number: null */
void js_set_bool(struct json *object, const char *key, bool value);
void js_set_bytes(struct json *object, const char *key, const void *data, size_t len);
/* Take ownership of @value. */
void js_set(struct json *object, const char *key, struct json *value);
void js_append(struct json *array, struct json *value);
/* Another reference to the same value, for a second parent; change neither afterwards. */
struct json *js_share(const struct json *j);
void js_append_string(struct json *array, const char *value);
void js_append_int(struct json *array, int64_t value);

/*
 * The text: indented by two spaces and closed by a newline, or (@compact) on one line without one. To be
 * freed.
 */
char *js_text(const struct json *j, bool compact);

/* ---- reading ---- */

/*
 * Parses @len bytes. Duplicate keys, depth over 64 and anything after the document are errors with line and
 * column; @name is for them.
 */
int js_parse(const char *text, size_t len, const char *name, struct json **ret, struct error *err);

bool js_is_object(const struct json *j);
bool js_is_array(const struct json *j);
/* JSON's null, or NULL: nothing there. */
bool js_is_null(const struct json *j);
/* Borrowed from the parent, NULL when there is none. Dots descend: "root.verity.salt". */
const struct json *js_get(const struct json *object, const char *path);
/* The same by one name, whose dots are its own: "org.opencontainers.image.title". */
const struct json *js_member(const struct json *object, const char *name);
/* Steps through the members in their order: *@it is NULL at first. False at the end, and for what is not an object. */
bool js_next(const struct json *object, void **it, const char **ret_name, const struct json **ret_value);
size_t js_array_len(const struct json *array); /* 0 for what is not an array */
const struct json *js_array_get(const struct json *array, size_t i);
const char *js_string(const struct json *j); /* NULL when it is not a string */
/* False when it is not an integer. */
bool js_int(const struct json *j, int64_t *ret);
/* Of an integer too. */
bool js_real(const struct json *j, double *ret);
bool js_bool(const struct json *j, bool *ret);

/* The same by path, with an error that names @path and what was expected. */
int js_need_string(const struct json *object, const char *path, const char **ret, struct error *err);
int js_need_int(const struct json *object, const char *path, int64_t min, int64_t max, int64_t *ret,
		struct error *err);
/* Exactly @len bytes of hexadecimal. */
int js_need_bytes(const struct json *object, const char *path, void *data, size_t len, struct error *err);

#endif
