/* SPDX-License-Identifier: Apache-2.0 */
#include "image/accounts.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/mem.h"

#define DATABASE_LIMIT ((size_t)4 << 20)
#define FIELD_LIMIT    7

/* The columns of passwd(5) and group(5). */
enum { PASSWD_NAME, PASSWD_PASSWORD, PASSWD_UID, PASSWD_GID, PASSWD_COLUMNS };
enum { GROUP_NAME, GROUP_PASSWORD, GROUP_GID, GROUP_MEMBERS, GROUP_COLUMNS };

/* The database's text ("" when the image has none), to be freed. */
static int read_database(const struct tree *tree, const char *path, char **ret, struct error *err)
{
	const struct tree_entry *e = tree_resolve(tree, path);
	void *text = NULL;
	size_t len;
	int r;

	if (!e) {
		*ret = xstrdup("");
		return 0;
	}
	if (!S_ISREG(e->mode))
		return error_set(err, -EINVAL, "%s of the image is not a regular file", path);
	r = tree_read_all(tree, e, DATABASE_LIMIT, &text, &len, err);
	if (r < 0)
		return error_prefix(err, "%s of the image", path);
	*ret = text;
	return 0;
}

/*
 * Splits the next line of *@text at its colons, in place; returns the number of fields (those over @max
 * stay joined), -1 at the end.
 */
static int next_line(char **text, char **fields, int max)
{
	char *line = *text, *end;
	int n = 0;

	if (!*line)
		return -1;
	end = line + strcspn(line, "\n");
	*text = *end ? end + 1 : end;
	*end = 0;
	for (fields[n++] = line; n < max && (line = strchr(line, ':')); fields[n++] = line)
		*line++ = 0;
	return n;
}

/* A whole decimal number below 2^32 - 1, which stands for "none". */
static bool parse_id(const char *text, uint32_t *ret)
{
	uint64_t n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n >= UINT32_MAX)
			return false;
	}
	*ret = (uint32_t)n;
	return true;
}

/* The user by name, or by number when @user is one. Its name (for its groups) in @ret_name, to be freed. */
static bool find_user(char *text, const char *user, struct account *ret, char **ret_name)
{
	char *fields[FIELD_LIMIT];
	uint32_t number = 0, uid, gid;
	bool by_number = parse_id(user, &number);
	int n;

	while ((n = next_line(&text, fields, FIELD_LIMIT)) >= 0) {
		if (n < PASSWD_COLUMNS || !parse_id(fields[PASSWD_UID], &uid) ||
		    !parse_id(fields[PASSWD_GID], &gid))
			continue;
		if (by_number ? uid != number : strcmp(fields[PASSWD_NAME], user) != 0)
			continue;
		ret->uid = uid;
		ret->gid = gid;
		*ret_name = xstrdup(fields[PASSWD_NAME]);
		return true;
	}
	return false;
}

static bool find_group(char *text, const char *group, uint32_t *ret)
{
	char *fields[FIELD_LIMIT];
	int n;

	while ((n = next_line(&text, fields, FIELD_LIMIT)) >= 0)
		if (n >= GROUP_MEMBERS && strcmp(fields[GROUP_NAME], group) == 0 &&
		    parse_id(fields[GROUP_GID], ret))
			return true;
	return false;
}

/* Whether @name is one of the comma-separated @members. */
static bool is_member(const char *members, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = members; *p;) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, name, n) == 0)
			return true;
		p += n + (p[n] == ',');
	}
	return false;
}

/* Keeps the groups ascending and each once. */
static void add_group(struct account *a, size_t *cap, uint32_t gid)
{
	size_t i = 0;

	while (i < a->group_count && a->groups[i] < gid)
		i++;
	if (gid == a->gid || (i < a->group_count && a->groups[i] == gid))
		return;
	array_grow(a->groups, a->group_count, *cap);
	memmove(a->groups + i + 1, a->groups + i, (a->group_count - i) * sizeof(*a->groups));
	a->groups[i] = gid;
	a->group_count++;
}

static void find_memberships(char *text, const char *name, struct account *a)
{
	char *fields[FIELD_LIMIT];
	size_t cap = 0;
	uint32_t gid;
	int n;

	while ((n = next_line(&text, fields, FIELD_LIMIT)) >= 0)
		if (n >= GROUP_COLUMNS && parse_id(fields[GROUP_GID], &gid) &&
		    is_member(fields[GROUP_MEMBERS], name))
			add_group(a, &cap, gid);
}

static int resolve_user(const struct tree *tree, const char *user, bool has_group, struct account *a,
			char **ret_name, struct error *err)
{
	_cleanup_free_ char *passwd = NULL;
	int r = read_database(tree, "/etc/passwd", &passwd, err);

	if (r < 0)
		return r;
	if (find_user(passwd, user, a, ret_name))
		return 0;
	if (!parse_id(user, &a->uid))
		return error_usage(err, "User=%s: /etc/passwd of the image has no such user", user);
	if (a->uid != 0 && !has_group)
		return error_usage(err, "User=%s: /etc/passwd of the image has no such user; say Group= too",
				   user);
	a->gid = 0;
	return 0;
}

int account_find(const struct tree *tree, const char *user, const char *group, struct account *ret,
		 struct error *err)
{
	_cleanup_account_ struct account a = {0};
	_cleanup_free_ char *name = NULL, *groups = NULL, *copy = NULL;
	int r;

	r = resolve_user(tree, user, group != NULL, &a, &name, err);
	if (r < 0)
		return r;
	r = read_database(tree, "/etc/group", &groups, err);
	if (r < 0)
		return r;
	copy = xstrdup(groups);
	if (group && !parse_id(group, &a.gid) && !find_group(copy, group, &a.gid))
		return error_usage(err, "Group=%s: /etc/group of the image has no such group", group);
	if (name)
		find_memberships(groups, name, &a);
	*ret = a;
	a = (struct account){0};
	return 0;
}

void account_free(struct account *a)
{
	free(a->groups);
	*a = (struct account){0};
}

bool account_may_execute(const struct account *a, const struct tree_entry *e)
{
	bool in_group = e->gid == a->gid;

	if (a->uid == 0)
		return e->mode & 0111;
	if (e->uid == a->uid)
		return e->mode & 0100;
	for (size_t i = 0; i < a->group_count; i++)
		in_group |= e->gid == a->groups[i];
	return e->mode & (in_group ? 0010 : 0001);
}
