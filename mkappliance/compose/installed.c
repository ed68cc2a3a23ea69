/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/installed.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/json.h"

/* The fields under the names that they have in a note and in the manifest. */
static const struct field {
	const char *name;
	size_t offset;
	bool needed;
} fields[] = {
	{"type", offsetof(struct installed_package, type), true},
	{"name", offsetof(struct installed_package, name), true},
	{"version", offsetof(struct installed_package, version), true},
	{"arch", offsetof(struct installed_package, arch), true},
	{"source", offsetof(struct installed_package, source), false},
	{"repository", offsetof(struct installed_package, repository), false},
	{"sha256", offsetof(struct installed_package, sha256), false},
	{"license", offsetof(struct installed_package, license), false},
	{"vendor", offsetof(struct installed_package, vendor), false},
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static char **field_of(const struct installed_package *p, size_t i)
{
	return (char **)((char *)(uintptr_t)p + fields[i].offset);
}

struct installed_package *installed_add(struct installed *l, const char *type, const char *name,
					const char *version, const char *arch)
{
	array_grow(l->list, l->len, l->cap);
	l->list[l->len] = (struct installed_package){.type = xstrdup(type),
						     .name = xstrdup(name),
						     .version = xstrdup(version),
						     .arch = xstrdup(arch)};
	return &l->list[l->len++];
}

static int compare(const void *a, const void *b)
{
	const struct installed_package *p = a, *q = b;
	int r = strcmp(p->name, q->name);

	if (r == 0)
		r = strcmp(p->version, q->version);
	if (r == 0)
		r = strcmp(p->arch, q->arch);
	return r ? r : strcmp(p->type, q->type);
}

void installed_sort(struct installed *l)
{
	if (l->len)
		qsort(l->list, l->len, sizeof(*l->list), compare);
}

void installed_free(struct installed *l)
{
	for (size_t i = 0; i < l->len; i++)
		for (size_t f = 0; f < FIELD_COUNT; f++)
			free(*field_of(&l->list[i], f));
	free(l->list);
	*l = (struct installed){0};
}

void installed_note(const struct installed *l, struct buf *note)
{
	_cleanup_json_ struct json *list = js_array_new();
	char *text;

	for (size_t i = 0; i < l->len; i++) {
		struct json *p = js_object_new();

		for (size_t f = 0; f < FIELD_COUNT; f++)
			if (*field_of(&l->list[i], f))
				js_set_string(p, fields[f].name, *field_of(&l->list[i], f));
		js_append(list, p);
	}
	text = js_text(list, true);
	buf_add(note, text, strlen(text));
	free(text);
}

static int read_package(const struct json *j, struct installed *ret, struct error *err)
{
	struct installed_package p = {0};

	for (size_t f = 0; f < FIELD_COUNT; f++) {
		const char *value = js_string(js_get(j, fields[f].name));

		if (!value && fields[f].needed)
			return error_set(err, -EINVAL, "a package without '%s'", fields[f].name);
	}
	array_grow(ret->list, ret->len, ret->cap);
	for (size_t f = 0; f < FIELD_COUNT; f++) {
		const char *value = js_string(js_get(j, fields[f].name));

		*field_of(&p, f) = value ? xstrdup(value) : NULL;
	}
	ret->list[ret->len++] = p;
	return 0;
}

int installed_parse(const char *note, const char *name, struct installed *ret, struct error *err)
{
	_cleanup_json_ struct json *j = NULL;
	int r = js_parse(note, strlen(note), name, &j, err);

	if (r < 0)
		return r;
	if (!js_is_array(j))
		return error_set(err, -EINVAL, "%s: not a list of packages", name);
	for (size_t i = 0; i < js_array_len(j); i++) {
		r = read_package(js_array_get(j, i), ret, err);
		if (r < 0)
			return error_prefix(err, "%s", name);
	}
	return 0;
}
