/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/passwd.h"

#include <string.h>

#include "lib/cleanup.h"

#define ACCOUNTS_MAX ((size_t)4 << 20)
#define PASSWD	     "etc/passwd"

static bool parse_id(const char *text, size_t len, uint32_t *ret)
{
	uint64_t v = 0;

	if (len == 0 || len > 10)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	if (v >= UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* The third field of the line of @name in passwd(5) or group(5). */
static bool find_id(const char *text, const char *name, uint32_t *ret)
{
	size_t len = strlen(name);

	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");

		if (strncmp(line, name, len) == 0 && line[len] == ':') {
			const char *third = line + len + 1;

			third += strcspn(third, ":\n");
			if (*third == ':')
				return parse_id(third + 1, strcspn(third + 1, ":\n"), ret);
		}
		line += n + (line[n] == '\n');
	}
	return false;
}

int passwd_id(const struct merge *m, const char *file, const char *what, const char *name, uint32_t *ret,
	      struct error *err)
{
	_cleanup_free_ void *text = NULL;
	size_t len = 0;
	int r;

	*ret = 0;
	if (!name || parse_id(name, strlen(name), ret) || strcmp(name, "root") == 0)
		return 0;
	if (!merge_find(m, file))
		return error_usage(err, "%s '%s': the image has no /%s to look it up in; give a number", what,
				   name, file);
	r = merge_read(m, file, ACCOUNTS_MAX, &text, &len, err);
	if (r < 0)
		return r;
	if (!find_id(text, name, ret))
		return error_usage(err, "%s '%s': is not in /%s of the image", what, name, file);
	return 0;
}

/* Field @number (from 0) of a line of passwd(5); to be freed. */
static char *field(const char *line, unsigned number)
{
	for (; number > 0; number--) {
		line += strcspn(line, ":\n");
		if (*line != ':')
			return xstrdup("");
		line++;
	}
	return xstrndup(line, strcspn(line, ":\n"));
}

/* Whether @line is of @user, by name or by number. */
static bool is_line_of(const char *line, const char *user)
{
	size_t len = strlen(user);
	_cleanup_free_ char *uid = field(line, 2);

	return (strncmp(line, user, len) == 0 && line[len] == ':') || strcmp(uid, user) == 0;
}

int passwd_find(const struct merge *m, const char *user, struct passwd_entry *ret, struct error *err)
{
	_cleanup_free_ void *text = NULL;
	size_t len = 0;
	int r;

	if (!merge_find(m, PASSWD))
		return 0;
	r = merge_read(m, PASSWD, ACCOUNTS_MAX, &text, &len, err);
	if (r < 0)
		return r;
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		_cleanup_free_ char *uid = field(line, 2), *gid = field(line, 3);

		if (!is_line_of(line, user) || !parse_id(uid, strlen(uid), &ret->uid) ||
		    !parse_id(gid, strlen(gid), &ret->gid))
			continue;
		ret->name = field(line, 0);
		ret->home = field(line, 5);
		ret->shell = field(line, 6);
		return 1;
	}
	return 0;
}

void passwd_entry_free(struct passwd_entry *e)
{
	free(e->name);
	free(e->home);
	free(e->shell);
	*e = (struct passwd_entry){0};
}
