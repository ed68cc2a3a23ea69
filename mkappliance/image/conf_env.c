/* SPDX-License-Identifier: Apache-2.0 */
/* Environment files of the image, by the rules of the init that reads them (firstboot/envfile.h). */
#include <string.h>

#include "image/abi.h"
#include "image/conf_internal.h"
#include "lib/cleanup.h"

#define BLANKS	" \t"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

/* Whether what stands behind the '=' is one bare or one quoted value. */
static bool is_value(const char *p)
{
	char quote;

	p += strspn(p, BLANKS);
	quote = *p == '"' || *p == '\'' ? *p++ : '\0';
	if (!quote)
		return true;
	for (; *p && *p != quote; p++)
		if (quote == '"' && *p == '\\' && p[1] && strchr("\"\\$`", p[1]))
			p++;
	return *p && p[1 + strspn(p + 1, BLANKS)] == '\0';
}

/* Whether the init takes the line. */
static bool is_line(const char *line)
{
	const char *name = line + strspn(line, BLANKS);
	size_t len = strspn(name, LETTERS "0123456789");

	if (!*name || *name == '#' || *name == ';')
		return true;
	return len && strchr(LETTERS, *name) && name[len] == '=' && is_value(name + len + 1);
}

int conf_check_env_file(const struct tree *tree, const struct tree_entry *e, const char *what,
			const char *path, struct error *err)
{
	_cleanup_free_ void *content = NULL;
	unsigned number = 0;
	size_t len = 0;
	int r = tree_read_all(tree, e, ABI_ENV_FILE_MAX - 1, &content, &len, err);

	if (r < 0)
		return error_prefix(err, "%s=: %s", what, path);
	for (char *line = content, *end = line + len, *next; line < end; line = next) {
		char *newline = memchr(line, '\n', (size_t)(end - line));
		char *stop = newline ? newline : end;
		bool whole = !memchr(line, '\0', (size_t)(stop - line));

		next = stop + 1;
		number++;
		if (stop > line && stop[-1] == '\r')
			stop[-1] = '\0';
		*stop = '\0';
		if (!whole || !is_line(line))
			return error_usage(
				err,
				"%s=: line %u of '%s' is not NAME=value, where quotes stand around all of the "
				"value or nowhere",
				what, number, path);
	}
	return 0;
}
