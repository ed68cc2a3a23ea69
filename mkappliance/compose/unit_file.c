/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/unit_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/log.h"

#define ITEMS_MAX 4096 /* no unit with its drop-ins has a tenth of it */
#define BLANKS	  "\t\n\r "

void unit_file_free(struct unit_file *u)
{
	for (size_t i = 0; i < u->len; i++) {
		free(u->items[i].section);
		free(u->items[i].key);
		free(u->items[i].value);
	}
	free(u->items);
	strlist_free(&u->names);
	*u = (struct unit_file){0};
}

const char *unit_item_place(const struct unit_file *u, const struct unit_item *item)
{
	static char place[4200];

	snprintf(place, sizeof(place), "%s:%u", u->names.ptr[item->file], item->line);
	return place;
}

/* Without blanks at either end, in place. */
static char *strip(char *s)
{
	size_t len;

	s += strspn(s, BLANKS);
	len = strlen(s);
	while (len > 0 && strchr(BLANKS, s[len - 1]))
		len--;
	s[len] = 0;
	return s;
}

/* Whether the line goes on in the next one: its last backslash is not itself behind one. */
static bool is_continued(const char *line, size_t len)
{
	size_t slashes = 0;

	while (slashes < len && line[len - 1 - slashes] == '\\')
		slashes++;
	return slashes % 2;
}

/* A file on its way. */
struct reader {
	struct unit_file *u;
	const char *name;
	char *section; /* NULL: none yet */
};

static int take_section(struct reader *r, char *line, unsigned number, struct error *err)
{
	size_t len = strlen(line);

	if (line[len - 1] != ']')
		return error_set(err, -EINVAL, "%s:%u: '%s': the section's ']' is missing", r->name, number,
				 line);
	free(r->section);
	r->section = xstrndup(line + 1, len - 2);
	return 0;
}

/* One logical line. */
static int take_line(struct reader *r, char *text, unsigned number, struct error *err)
{
	char *line = strip(text);
	char *equals = strchr(line, '=');
	struct unit_file *u = r->u;

	if (!*line)
		return 0;
	if (*line == '[')
		return take_section(r, line, number, err);
	if (!equals || equals == line || !r->section) {
		log_warning("%s:%u: %s; passed over, as systemd does", r->name, number,
			    r->section ? "no KEY=VALUE" : "stands before the first section");
		return 0;
	}
	if (u->len == ITEMS_MAX)
		return error_set(err, -E2BIG, "%s:%u: more than %d settings; this is no unit file", r->name,
				 number, ITEMS_MAX);
	*equals = 0;
	array_grow(u->items, u->len, u->cap);
	u->items[u->len++] = (struct unit_item){.section = xstrdup(r->section),
						.key = xstrdup(strip(line)),
						.value = xstrdup(strip(equals + 1)),
						.file = u->names.len - 1,
						.line = number};
	return 0;
}

/* Comments are no part of a line that goes on, also in its middle. */
static int read_lines(struct reader *r, const char *text, const char *end, struct error *err)
{
	_cleanup_buf_ struct buf line = {0};
	unsigned number = 0, began = 0;

	while (text < end) {
		size_t len = strcspn(text, "\n");
		const char *start = text;
		int e;

		number++;
		text += len + (text + len < end);
		if (start[strspn(start, "\t\r ")] == '#' || start[strspn(start, "\t\r ")] == ';')
			continue;
		if (!line.len)
			began = number;
		if (is_continued(start, len)) {
			buf_add(&line, start, len - 1);
			buf_add(&line, " ", 1);
			continue;
		}
		buf_add(&line, start, len);
		e = take_line(r, line.ptr, began, err);
		if (e < 0)
			return e;
		line.len = 0;
	}
	return line.len ? take_line(r, line.ptr, began, err) : 0;
}

int unit_file_parse(const char *text, size_t len, const char *name, struct unit_file *ret, struct error *err)
{
	static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, as some editors write it */
	_cleanup_free_ char *copy = NULL;
	struct reader r = {.u = ret, .name = name};
	int e;

	if (len > UNIT_FILE_MAX)
		return error_set(err, -EFBIG, "%s: is larger than %zu bytes; no unit is", name,
				 UNIT_FILE_MAX);
	if (len && memchr(text, 0, len))
		return error_set(err, -EINVAL, "%s: holds a NUL byte; it is no unit file", name);
	copy = xstrndup(text ? text : "", len);
	strlist_add(&ret->names, name);
	e = strncmp(copy, mark, 3) == 0 ? read_lines(&r, copy + 3, copy + len, err)
					: read_lines(&r, copy, copy + len, err);
	free(r.section);
	return e;
}
