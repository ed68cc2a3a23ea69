/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/installed.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/hash.h"

/* More packages, or longer texts, than any distribution has. */
#define PACKAGES_MAX 200000u
#define TEXT_MAX     65536u

/* The fields under the names that they have in a note and in the manifest. */
static const struct field {
	const char *name;
	size_t offset;
	bool word; /* must be there, and is one word */
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

static void package_free(struct installed_package *p)
{
	for (size_t f = 0; f < FIELD_COUNT; f++)
		free(*field_of(p, f));
}

/* What @to does not know. */
static void fill_in(struct installed_package *to, const struct installed_package *from)
{
	for (size_t f = 0; f < FIELD_COUNT; f++)
		if (!*field_of(to, f) && *field_of(from, f))
			*field_of(to, f) = xstrdup(*field_of(from, f));
}

void installed_join(struct installed *l, const struct installed *notes)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->len; i++) {
		if (kept && compare(&l->list[kept - 1], &l->list[i]) == 0) {
			fill_in(&l->list[kept - 1], &l->list[i]);
			package_free(&l->list[i]);
		} else {
			l->list[kept++] = l->list[i];
		}
	}
	l->len = kept;
	for (size_t i = 0; i < notes->len && l->len; i++) {
		struct installed_package *p =
			bsearch(&notes->list[i], l->list, l->len, sizeof(*l->list), compare);

		if (p)
			fill_in(p, &notes->list[i]);
	}
}

void installed_free(struct installed *l)
{
	for (size_t i = 0; i < l->len; i++)
		package_free(&l->list[i]);
	free(l->list);
	*l = (struct installed){0};
}

struct json *installed_json(const struct installed *l)
{
	struct json *list = js_array_new();

	for (size_t i = 0; i < l->len; i++) {
		struct json *p = js_object_new();

		for (size_t f = 0; f < FIELD_COUNT; f++)
			if (*field_of(&l->list[i], f))
				js_set_string(p, fields[f].name, *field_of(&l->list[i], f));
		js_append(list, p);
	}
	return list;
}

void installed_note(const struct installed *l, struct buf *note)
{
	_cleanup_json_ struct json *list = installed_json(l);
	char *text = js_text(list, true);

	buf_add(note, text, strlen(text));
	free(text);
}

/* Not empty, without control characters; of one word where that is wanted. */
static bool is_text(const char *s, bool word)
{
	size_t len = strlen(s);

	if (len == 0 || len > TEXT_MAX || (word && strchr(s, ' ')))
		return false;
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

static bool is_digest(const char *s)
{
	return strlen(s) == SHA256_HEX_SIZE - 1 && strspn(s, "0123456789abcdef") == SHA256_HEX_SIZE - 1;
}

static int check_field(const struct json *package, size_t f, struct error *err)
{
	const struct json *j = js_get(package, fields[f].name);
	const char *value = js_string(j);

	if (!j && !fields[f].word)
		return 0;
	if (!j)
		return error_set(err, -EINVAL, "a package without '%s'", fields[f].name);
	if (!value || !is_text(value, fields[f].word))
		return error_set(err, -EINVAL, "'%s' is not %s", fields[f].name,
				 fields[f].word ? "one word" : "a text of one line");
	if (fields[f].offset == offsetof(struct installed_package, sha256) && !is_digest(value))
		return error_set(err, -EINVAL, "'%s' is not 64 hexadecimal digits", fields[f].name);
	return 0;
}

static int read_package(const struct json *j, struct installed *ret, struct error *err)
{
	struct installed_package p = {0};

	if (!js_is_object(j))
		return error_set(err, -EINVAL, "is not an object");
	for (size_t f = 0; f < FIELD_COUNT; f++) {
		int r = check_field(j, f, err);

		if (r < 0)
			return r;
	}
	array_grow(ret->list, ret->len, ret->cap);
	for (size_t f = 0; f < FIELD_COUNT; f++) {
		const char *value = js_string(js_get(j, fields[f].name));

		*field_of(&p, f) = value ? xstrdup(value) : NULL;
	}
	ret->list[ret->len++] = p;
	return 0;
}

int installed_read(const struct json *list, struct installed *ret, struct error *err)
{
	if (!js_is_array(list))
		return error_set(err, -EINVAL, "not a list of packages");
	if (js_array_len(list) > PACKAGES_MAX)
		return error_set(err, -EFBIG, "more than %u packages", PACKAGES_MAX);
	for (size_t i = 0; i < js_array_len(list); i++) {
		int r = read_package(js_array_get(list, i), ret, err);

		if (r < 0)
			return error_prefix(err, "packages[%zu]", i);
	}
	return 0;
}

int installed_parse(const char *note, const char *name, struct installed *ret, struct error *err)
{
	_cleanup_json_ struct json *j = NULL;
	int r = js_parse(note, strlen(note), name, &j, err);

	if (r == 0) {
		r = installed_read(j, ret, err);
		if (r < 0)
			r = error_prefix(err, "%s", name);
	}
	return r;
}
