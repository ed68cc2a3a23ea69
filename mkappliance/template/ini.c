/* SPDX-License-Identifier: Apache-2.0 */
#include "template/ini.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/mem.h"

/* Bytes of the text, not ended by 0. */
struct span {
	const char *ptr;
	size_t len;
};

struct reader {
	const char *pos;
	const char *end;
	const char *name;
	unsigned line; /* of the line that was read last */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
	while (s.len > 0 && is_blank(*s.ptr)) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

static int refuse_control_characters(const struct reader *r, struct span line, struct error *err)
{
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.ptr[i];

		if (c == 0)
			return error_usage(err, "%s:%u: NUL byte in column %zu; this is not a text file",
					   r->name, r->line, i + 1);
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return error_usage(err, "%s:%u: control character 0x%02x in column %zu; remove it",
					   r->name, r->line, c, i + 1);
	}
	return 0;
}

/* The next line, trimmed. Returns 1, or 0 at the end. */
static int read_line(struct reader *r, struct span *ret, struct error *err)
{
	const char *nl;
	struct span line;
	int e;

	if (r->pos == r->end)
		return 0;
	nl = memchr(r->pos, '\n', (size_t)(r->end - r->pos));
	line = (struct span){r->pos, (size_t)((nl ? nl : r->end) - r->pos)};
	r->pos = nl ? nl + 1 : r->end;
	r->line++;
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	e = refuse_control_characters(r, line, err);
	if (e < 0)
		return e;
	*ret = trim(line);
	/* It looks continued and is not: say so rather than guess. */
	if (ret->len > 0 && ret->ptr[ret->len - 1] == '\\' && ret->ptr + ret->len != line.ptr + line.len)
		return error_usage(err, "%s:%u: blanks behind the backslash at the end; remove them", r->name,
				   r->line);
	return 1;
}

static bool is_comment(struct span line)
{
	return line.len > 0 && (*line.ptr == '#' || *line.ptr == ';');
}

static bool is_continued(struct span line)
{
	size_t n = 0;

	while (n < line.len && line.ptr[line.len - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

/* Appends to @value, which ended in a backslash, the lines that continue it. */
static int read_continuation(struct reader *r, struct buf *value, struct error *err)
{
	unsigned first = r->line;
	struct span line;
	bool more = true;
	int e;

	while (more) {
		e = read_line(r, &line, err);
		if (e < 0)
			return e;
		if (e == 0)
			return error_usage(err, "%s:%u: the file ends behind a backslash; remove it", r->name,
					   first);
		if (is_comment(line))
			continue;
		more = is_continued(line);
		if (more)
			line = trim((struct span){line.ptr, line.len - 1});
		if (line.len == 0)
			continue;
		if (value->len > 0)
			buf_add(value, " ", 1);
		buf_add(value, line.ptr, line.len);
	}
	return 0;
}

static void add_item(struct ini *ini, struct ini_item item)
{
	array_grow(ini->items, ini->len, ini->cap);
	ini->items[ini->len++] = item;
}

static int add_section(struct ini *ini, const struct reader *r, struct span line, struct error *err)
{
	struct span name;

	if (line.ptr[line.len - 1] != ']')
		return error_usage(err, "%s:%u: '%.*s': a section's line ends in ']'%s", r->name, r->line,
				   (int)line.len, line.ptr,
				   memchr(line.ptr, ']', line.len) ? " (a comment needs a line of its own)"
								   : "");
	name = trim((struct span){line.ptr + 1, line.len - 2});
	if (name.len == 0)
		return error_usage(err, "%s:%u: the section has no name", r->name, r->line);
	add_item(ini, (struct ini_item){.line = r->line, .section = xstrndup(name.ptr, name.len)});
	return 0;
}

/* Reads "Key=value" with the lines that continue it. */
static int add_setting(struct ini *ini, struct reader *r, struct span line, struct error *err)
{
	const char *equals = memchr(line.ptr, '=', line.len);
	struct ini_item item = {.line = r->line};
	_cleanup_buf_ struct buf value = {0};
	struct span key, rest;
	bool continued;
	int e;

	if (!equals)
		return error_usage(err, "%s:%u: '%.*s' is neither [Section] nor Key=value nor a comment",
				   r->name, r->line, (int)line.len, line.ptr);
	key = trim((struct span){line.ptr, (size_t)(equals - line.ptr)});
	if (key.len == 0)
		return error_usage(err, "%s:%u: no key before the '='", r->name, r->line);
	if (ini->len == 0)
		return error_usage(err, "%s:%u: '%.*s=' stands before the first [Section]", r->name, r->line,
				   (int)key.len, key.ptr);
	rest = (struct span){equals + 1, line.len - (size_t)(equals + 1 - line.ptr)};
	continued = is_continued(rest);
	rest = trim((struct span){rest.ptr, rest.len - continued});
	buf_add(&value, rest.ptr, rest.len);
	if (continued) {
		e = read_continuation(r, &value, err);
		if (e < 0)
			return e;
	}
	item.section = xstrdup(ini->items[ini->len - 1].section);
	item.key = xstrndup(key.ptr, key.len);
	item.value = buf_steal(&value);
	add_item(ini, item);
	return 0;
}

int ini_parse(const char *text, size_t len, const char *name, struct ini *ret, struct error *err)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct reader r = {.pos = text, .end = text + len, .name = name};
	_cleanup_ini_ struct ini ini = {0};
	struct span line;
	int e;

	if (len > INI_MAX_SIZE)
		return error_usage(err, "%s: larger than %zu bytes; this is not a template", name,
				   INI_MAX_SIZE);
	if (len >= 3 && memcmp(text, bom, 3) == 0)
		r.pos += 3;
	while ((e = read_line(&r, &line, err)) > 0) {
		if (line.len == 0 || is_comment(line))
			continue;
		e = *line.ptr == '[' ? add_section(&ini, &r, line, err) : add_setting(&ini, &r, line, err);
		if (e < 0)
			return e;
	}
	if (e < 0)
		return e;
	*ret = ini;
	ini = (struct ini){0};
	return 0;
}

void ini_free(struct ini *ini)
{
	for (size_t i = 0; i < ini->len; i++) {
		free(ini->items[i].section);
		free(ini->items[i].key);
		free(ini->items[i].value);
	}
	free(ini->items);
	*ini = (struct ini){0};
}
