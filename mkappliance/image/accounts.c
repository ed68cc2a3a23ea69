/* SPDX-License-Identifier: Apache-2.0 */
#include "image/accounts.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/passwd.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

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
	r = tree_read_all(tree, e, PASSWD_MAX, &text, &len, err);
	if (r < 0)
		return error_prefix(err, "%s of the image", path);
	*ret = text;
	return 0;
}

/* Groups on their way. */
struct groups {
	struct account *account;
	size_t cap;
};

/* Keeps the groups ascending and each once. */
static void add_group(uint32_t gid, void *data)
{
	struct groups *g = data;
	struct account *a = g->account;
	size_t i = 0;

	while (i < a->group_count && a->groups[i] < gid)
		i++;
	if (gid == a->gid || (i < a->group_count && a->groups[i] == gid))
		return;
	array_grow(a->groups, a->group_count, g->cap);
	memmove(a->groups + i + 1, a->groups + i, (a->group_count - i) * sizeof(*a->groups));
	a->groups[i] = gid;
	a->group_count++;
}

static int resolve_user(const struct tree *tree, const char *user, bool has_group, struct account *a,
			char **ret_name, struct error *err)
{
	_cleanup_passwd_ struct passwd_entry entry = {0};
	_cleanup_free_ char *passwd = NULL;
	int r = read_database(tree, "/etc/passwd", &passwd, err);

	if (r < 0)
		return r;
	if (passwd_find_text(passwd, user, &entry)) {
		a->uid = entry.uid;
		a->gid = entry.gid;
		*ret_name = steal_pointer(&entry.name);
		return 0;
	}
	if (!passwd_parse_id(user, &a->uid))
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
	_cleanup_free_ char *name = NULL, *groups = NULL;
	struct groups of = {.account = &a};
	int r;

	r = resolve_user(tree, user, group != NULL, &a, &name, err);
	if (r < 0)
		return r;
	r = read_database(tree, "/etc/group", &groups, err);
	if (r < 0)
		return r;
	if (group && !passwd_parse_id(group, &a.gid) && !group_find_text(groups, group, &a.gid))
		return error_usage(err, "Group=%s: /etc/group of the image has no such group", group);
	if (name)
		group_each_of(groups, name, add_group, &of);
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
