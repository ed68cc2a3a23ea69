/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/config.h"
#include "cloud/credentials.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

struct reader {
	struct config_file *f;
	const char *name;
	unsigned line;
	const char *section; /* NULL: before the first header */
	const char *key;     /* the last one, which indented lines belong to; NULL: none */
	size_t indent;	     /* of that key */
};

static void add(struct reader *r, const char *key, const char *sub, const char *value)
{
	struct config_file *f = r->f;
	struct config_item *i;

	array_grow(f->items, f->len, f->cap);
	i = &f->items[f->len++];
	*i = (struct config_item){.section = xstrdup(r->section),
				  .key = key ? xstrdup(key) : NULL,
				  .sub = sub ? xstrdup(sub) : NULL,
				  .value = value ? xstrdup(value) : NULL};
	/* The reader's names live as long as the items, not as long as the line. */
	r->section = i->section;
	if (key)
		r->key = i->key;
}

static void lower(char *text)
{
	for (; *text; text++)
		*text = (char)tolower((unsigned char)*text);
}

/* Cuts @line at its '=' or ':' into a lower-case key and a value; false when there is none. */
static bool split(char *line, char **ret_key, char **ret_value)
{
	size_t len = strcspn(line, "=:");
	char *end = line + len;

	if (!*end || len == 0)
		return false;
	*ret_value = end + 1 + strspn(end + 1, " \t");
	while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = 0;
	lower(line);
	*ret_key = line;
	return end > line;
}

static int take_header(struct reader *r, char *line, struct error *err)
{
	char *end = strrchr(line, ']');

	if (!end || end == line + 1)
		return error_usage(err, "%s:%u: a section is [NAME]", r->name, r->line);
	*end = 0;
	if (config_file_has(r->f, line + 1))
		return error_usage(err, "%s:%u: section [%s] is there twice", r->name, r->line, line + 1);
	r->section = line + 1;
	r->key = NULL;
	add(r, NULL, NULL, NULL);
	return 0;
}

static int take_key(struct reader *r, char *line, size_t indent, struct error *err)
{
	char *key, *value;

	if (r->key && indent > r->indent) {
		/* Continues what stands above: "sub = value", else more of its value, which none of our keys has. */
		if (split(line, &key, &value))
			add(r, r->key, key, value);
		return 0;
	}
	if (!r->section)
		return error_usage(err, "%s:%u: a key before the first section", r->name, r->line);
	if (!split(line, &key, &value))
		return error_usage(err, "%s:%u: a line is KEY = VALUE", r->name, r->line);
	if (config_file_get(r->f, r->section, key, NULL))
		return error_usage(err, "%s:%u: key '%s' is there twice", r->name, r->line, key);
	add(r, key, NULL, value);
	r->indent = indent;
	return 0;
}

static int take_line(struct reader *r, char *line, size_t len, struct error *err)
{
	size_t indent = strspn(line, " \t");

	if (strlen(line) != len)
		return error_usage(err, "%s:%u: a NUL byte", r->name, r->line);
	while (len > 0 && strchr(" \t\r", line[len - 1]))
		line[--len] = 0;
	if (indent >= len || line[indent] == '#' || line[indent] == ';')
		return 0;
	if (line[indent] == '[' && !(r->key && indent > r->indent))
		return take_header(r, line + indent, err);
	return take_key(r, line + indent, indent, err);
}

int config_parse(const char *text, size_t len, const char *name, struct config_file *ret, struct error *err)
{
	_cleanup_config_file_ struct config_file f = {0};
	struct reader reader = {.f = &f, .name = name};
	const char *end = text + len;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t n = newline ? (size_t)(newline - text) : (size_t)(end - text);
		char *line = xmalloc(n + 1);
		int r;

		memcpy(line, text, n);
		line[n] = 0;
		reader.line++;
		r = take_line(&reader, line, n, err);
		explicit_bzero(line, n);
		free(line);
		if (r < 0)
			return r;
		text += n + (newline != NULL);
	}
	*ret = f;
	f = (struct config_file){0};
	return 0;
}

void config_file_free(struct config_file *f)
{
	for (size_t i = 0; i < f->len; i++) {
		free(f->items[i].section);
		free(f->items[i].key);
		free(f->items[i].sub);
		secret_free(f->items[i].value);
	}
	free(f->items);
	*f = (struct config_file){0};
}

const char *config_file_get(const struct config_file *f, const char *section, const char *key,
			    const char *sub)
{
	for (size_t i = 0; i < f->len; i++) {
		const struct config_item *it = &f->items[i];

		if (it->key && !it->sub == !sub && strcmp(it->section, section) == 0 &&
		    strcmp(it->key, key) == 0 && (!sub || strcmp(it->sub, sub) == 0))
			return it->value;
	}
	return NULL;
}

bool config_file_has(const struct config_file *f, const char *section)
{
	for (size_t i = 0; i < f->len; i++)
		if (!f->items[i].key && strcmp(f->items[i].section, section) == 0)
			return true;
	return false;
}
