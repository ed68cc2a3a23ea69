/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "envfile.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

/* Where the variable of @assignment's name is; e->len: there is none. */
static size_t find(const struct env *e, const char *assignment)
{
	size_t name = strcspn(assignment, "="), i = 0;

	while (i < e->len && !(strncmp(e->ptr[i], assignment, name) == 0 && e->ptr[i][name] == '='))
		i++;
	return i;
}

bool env_has(const struct env *e, const char *assignment)
{
	return find(e, assignment) < e->len;
}

bool env_set(struct env *e, const char *assignment)
{
	size_t i = find(e, assignment);

	if (i == e->max)
		return false;
	e->ptr[i] = assignment;
	if (i == e->len)
		e->ptr[++e->len] = NULL;
	return true;
}

static char *skip_blanks(char *p)
{
	return p + strspn(p, " \t");
}

/* The value at @from, moved to @to with its quotes taken off. False: there is no end of the quotes, or more behind it. */
static bool unquote(char *to, char *from)
{
	char quote = *from == '"' || *from == '\'' ? *from++ : '\0';
	char *end = to;

	for (; *from && *from != quote; from++) {
		if (quote == '"' && *from == '\\' && from[1] && strchr("\"\\$`", from[1]))
			from++;
		*to++ = *from;
		if (quote || (*from != ' ' && *from != '\t'))
			end = to; /* blanks at the end of a bare value do not count */
	}
	if (quote && (*from != quote || *skip_blanks(from + 1)))
		return false;
	*end = '\0';
	return true;
}

/* @line ends in a NUL. */
static bool parse_line(char *line, struct env *e)
{
	char *name = skip_blanks(line), *value;
	size_t len = strspn(name, LETTERS "0123456789");

	if (!*name || *name == '#' || *name == ';')
		return true;
	if (!len || !strchr(LETTERS, *name) || name[len] != '=')
		return false;
	value = name + len + 1;
	return unquote(value, skip_blanks(value)) && env_set(e, name);
}

unsigned envfile_parse(char *text, size_t len, struct env *e)
{
	unsigned number = 0;

	text[len] = '\0';
	for (char *end = text + len; text < end;) {
		char *newline = memchr(text, '\n', (size_t)(end - text));
		char *stop = newline ? newline : end;

		number++;
		if (memchr(text, '\0', (size_t)(stop - text)))
			return number;
		if (stop > text && stop[-1] == '\r')
			stop[-1] = '\0';
		*stop = '\0';
		if (!parse_line(text, e))
			return number;
		text = stop + 1;
	}
	return 0;
}
