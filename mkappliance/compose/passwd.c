/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/passwd.h"

#include <string.h>

#include "lib/cleanup.h"

#define PASSWD	    "etc/passwd"
#define FIELD_LIMIT 7

/* The columns of passwd(5) and group(5). */
enum { PASSWD_NAME, PASSWD_PASSWORD, PASSWD_UID, PASSWD_GID, PASSWD_GECOS, PASSWD_HOME, PASSWD_SHELL };
enum { GROUP_NAME, GROUP_PASSWORD, GROUP_GID, GROUP_MEMBERS };

/* A line in its fields; they lie in the text. */
struct line {
	const char *at[FIELD_LIMIT];
	size_t len[FIELD_LIMIT];
	int count;
};

/* The next line of *@text, which moves behind it; fields over FIELD_LIMIT stay joined. False at the end. */
static bool next_line(const char **text, struct line *ret)
{
	const char *p = *text, *end;

	if (!*p)
		return false;
	end = p + strcspn(p, "\n");
	*text = *end ? end + 1 : end;
	for (ret->count = 0; ret->count < FIELD_LIMIT; p++) {
		const char *colon = memchr(p, ':', (size_t)(end - p));
		const char *stop = colon && ret->count + 1 < FIELD_LIMIT ? colon : end;

		ret->at[ret->count] = p;
		ret->len[ret->count++] = (size_t)(stop - p);
		p = stop;
		if (p == end)
			break;
	}
	return true;
}

static bool is_field(const struct line *l, int number, const char *text)
{
	return number < l->count && l->len[number] == strlen(text) &&
	       memcmp(l->at[number], text, l->len[number]) == 0;
}

/* To be freed; "" where the line has no such field. */
static char *copy_field(const struct line *l, int number)
{
	return number < l->count ? xstrndup(l->at[number], l->len[number]) : xstrdup("");
}

static bool parse_id(const char *text, size_t len, uint32_t *ret)
{
	uint64_t n = 0;

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text[i] - '0');
		if (n >= UINT32_MAX)
			return false;
	}
	*ret = (uint32_t)n;
	return true;
}

static bool parse_field(const struct line *l, int number, uint32_t *ret)
{
	return number < l->count && parse_id(l->at[number], l->len[number], ret);
}

bool passwd_parse_id(const char *text, uint32_t *ret)
{
	return parse_id(text, strlen(text), ret);
}

bool passwd_find_text(const char *text, const char *user, struct passwd_entry *ret)
{
	uint32_t number = 0, uid, gid;
	bool by_number = passwd_parse_id(user, &number);
	struct line l;

	while (next_line(&text, &l)) {
		if (!parse_field(&l, PASSWD_UID, &uid) || !parse_field(&l, PASSWD_GID, &gid) ||
		    (by_number ? uid != number : !is_field(&l, PASSWD_NAME, user)))
			continue;
		*ret = (struct passwd_entry){.uid = uid,
					     .gid = gid,
					     .name = copy_field(&l, PASSWD_NAME),
					     .home = copy_field(&l, PASSWD_HOME),
					     .shell = copy_field(&l, PASSWD_SHELL)};
		return true;
	}
	return false;
}

bool group_find_text(const char *text, const char *group, uint32_t *ret)
{
	struct line l;

	while (next_line(&text, &l))
		if (is_field(&l, GROUP_NAME, group) && parse_field(&l, GROUP_GID, ret))
			return true;
	return false;
}

/* Whether @name is one of the members, which commas part. */
static bool has_member(const struct line *l, const char *name)
{
	size_t len = strlen(name);
	const char *p = l->at[GROUP_MEMBERS], *end = p + l->len[GROUP_MEMBERS];

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		size_t n = (size_t)((comma ? comma : end) - p);

		if (n == len && memcmp(p, name, n) == 0)
			return true;
		p += n + (comma != NULL);
	}
	return false;
}

void group_each_of(const char *text, const char *user, void (*found)(uint32_t gid, void *data), void *data)
{
	struct line l;
	uint32_t gid;

	while (next_line(&text, &l))
		if (l.count > GROUP_MEMBERS && parse_field(&l, GROUP_GID, &gid) && has_member(&l, user))
			found(gid, data);
}

/* ---- a tree that is being made ---- */

int passwd_id(const struct merge *m, const char *file, const char *what, const char *name, uint32_t *ret,
	      struct error *err)
{
	bool of_users = strcmp(file, PASSWD) == 0, found;
	_cleanup_passwd_ struct passwd_entry e = {0};
	_cleanup_free_ void *text = NULL;
	size_t len = 0;
	int r;

	*ret = 0;
	if (!name || passwd_parse_id(name, ret) || strcmp(name, "root") == 0)
		return 0;
	if (!merge_find(m, file))
		return error_usage(err, "%s '%s': the image has no /%s to look it up in; give a number", what,
				   name, file);
	r = merge_read(m, file, PASSWD_MAX, &text, &len, err);
	if (r < 0)
		return r;
	found = of_users ? passwd_find_text(text, name, &e) : group_find_text(text, name, ret);
	if (!found)
		return error_usage(err, "%s '%s': is not in /%s of the image", what, name, file);
	if (of_users)
		*ret = e.uid;
	return 0;
}

int passwd_find(const struct merge *m, const char *user, struct passwd_entry *ret, struct error *err)
{
	_cleanup_free_ void *text = NULL;
	size_t len = 0;
	int r;

	if (!merge_find(m, PASSWD))
		return 0;
	r = merge_read(m, PASSWD, PASSWD_MAX, &text, &len, err);
	return r < 0 ? r : passwd_find_text(text, user, ret);
}

void passwd_entry_free(struct passwd_entry *e)
{
	free(e->name);
	free(e->home);
	free(e->shell);
	*e = (struct passwd_entry){0};
}
