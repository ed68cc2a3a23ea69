/* SPDX-License-Identifier: Apache-2.0 */
/* The groups of AWS that one name stands for; declared in cmd_aws_set.h. */
#include "cmd_aws_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"

void aws_set_free(struct aws_set *s)
{
	asg_groups_free(&s->all);
	*s = (struct aws_set){0};
}

static const char *tag(const struct asg_group *g, const char *key)
{
	const char *value = aws_tags_get(&g->tags, key);

	return value ? value : "";
}

uint64_t aws_set_number(const struct asg_group *g, const char *key)
{
	return strtoull(tag(g, key), NULL, 10);
}

uint64_t aws_set_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Of two that serve the later one is live, and the other one is what it replaced. */
static int add_live(struct aws_set *s, struct asg_group *g, struct error *err)
{
	struct asg_group *other = s->live;

	s->live = g;
	if (!other)
		return 0;
	if (aws_set_number(other, GROUP_TAG_SINCE) > aws_set_number(g, GROUP_TAG_SINCE)) {
		s->live = other;
		other = g;
	}
	if (s->old || strcmp(tag(s->live, GROUP_TAG_REPLACES), other->name) != 0)
		return error_set(
			err, -EEXIST,
			"groups '%s' and '%s' both go by the name '%s': remove one, or its tag " GROUP_TAG_GROUP,
			s->live->name, other->name, s->name);
	s->old = other;
	return 0;
}

/* The group of that name itself, unless it is among those that have the tag. */
static int add_named(struct aws *a, struct aws_set *s, struct error *err)
{
	struct error ignored = ERROR_INIT;
	struct asg_group g = {0};
	int r;

	for (size_t i = 0; i < s->all.len; i++)
		if (strcmp(s->all.list[i].name, s->name) == 0)
			return 0;
	r = asg_read(a, s->name, &g, &ignored);
	if (r == -ENOENT && s->all.len)
		return 0;
	if (r < 0) {
		*err = ignored;
		return r;
	}
	array_grow(s->all.list, s->all.len, s->all.cap);
	s->all.list[s->all.len++] = g;
	return 0;
}

int aws_set_read(struct aws *a, const char *name, struct aws_set *ret, struct error *err)
{
	_cleanup_set_ struct aws_set s = {.name = name};
	int r;

	if ((r = asg_read_tagged(a, GROUP_TAG_GROUP, name, &s.all, err)) < 0 ||
	    (r = add_named(a, &s, err)) < 0)
		return r;
	for (size_t i = 0; i < s.all.len && r == 0; i++) {
		const char *role = tag(&s.all.list[i], GROUP_TAG_ROLE);

		if (strcmp(role, ROLE_NEXT) != 0 && strcmp(role, ROLE_FAILED) != 0)
			r = add_live(&s, &s.all.list[i], err);
		else if (!s.next)
			s.next = &s.all.list[i];
		else
			r = error_set(err, -EEXIST,
				      "groups '%s' and '%s' are both to replace '%s': remove one",
				      s.next->name, s.all.list[i].name, name);
	}
	if (r == 0 && !s.live) {
		s.live = s.next; /* still being made, or alone by somebody's hand */
		s.next = NULL;
	}
	if (r < 0)
		return r;
	*ret = s;
	s = (struct aws_set){0};
	return 0;
}

/* "web" and "web-blue" are followed by "web-green", that by "web-blue". */
void aws_set_next_name(const struct aws_set *s, char *ret, size_t size)
{
	_cleanup_free_ char *green = xasprintf("%s-green", s->name);

	snprintf(ret, size, "%s-%s", s->name, strcmp(s->live->name, green) == 0 ? "blue" : "green");
}

int aws_set_make_live(struct aws *a, const struct asg_group *g, const struct asg_group *before,
		      unsigned keep_s, struct error *err)
{
	uint64_t now = aws_set_now(), was = aws_set_number(before, GROUP_TAG_SINCE);
	_cleanup_free_ char *since = xasprintf("%ju", (uintmax_t)(now > was ? now : was + 1));
	_cleanup_free_ char *keep = xasprintf("%ju", (uintmax_t)(now + keep_s * 1000ull));
	const struct aws_tag tags[] = {{GROUP_TAG_ROLE, ROLE_LIVE},
				       {GROUP_TAG_SINCE, since},
				       {GROUP_TAG_KEEP, keep},
				       {GROUP_TAG_REPLACES, before->name}};

	return asg_set_tags(a, g->name, tags, sizeof(tags) / sizeof(tags[0]), err);
}

int aws_set_return(struct aws *a, const struct asg_group *live, struct error *err)
{
	const struct aws_tag tag = {GROUP_TAG_KEEP, KEEP_RETURN};

	return asg_set_tags(a, live->name, &tag, 1, err);
}

bool aws_set_returns(const struct aws_set *s)
{
	return s->old && strcmp(tag(s->live, GROUP_TAG_KEEP), KEEP_RETURN) == 0;
}

int aws_set_forget(struct aws *a, const struct asg_group *live, struct error *err)
{
	const struct aws_tag tags[] = {{GROUP_TAG_KEEP, ""}, {GROUP_TAG_REPLACES, ""}};

	return asg_set_tags(a, live->name, tags, 2, err);
}

static int describe(struct aws *a, const struct aws_set *s, const struct asg_group *g, struct json *list,
		    struct error *err)
{
	uint64_t until = aws_set_number(s->live, GROUP_TAG_KEEP), now = aws_set_now();
	struct asg_template t;
	struct json *j;
	int r;

	if (!g)
		return 0;
	r = asg_template_describe(a, g->template_id, g->version, &t, err);
	if (r < 0)
		return r;
	j = js_object_new();
	js_set_string(j, "group", g->name);
	js_set_string(j, "role", g->deleting ? "leaving" : g == s->old ? "old" : tag(g, GROUP_TAG_ROLE));
	js_set_string(j, "image", t.image);
	js_set_int(j, "instances", (int64_t)g->len);
	if (g == s->old && until > now)
		js_set_int(j, "kept_for", (int64_t)((until - now) / 1000));
	js_append(list, j);
	return 0;
}

int aws_set_live(struct aws *a, const char *name, char **ret, struct json **ret_beside, struct error *err)
{
	_cleanup_set_ struct aws_set s = {0};
	_cleanup_json_ struct json *list = js_array_new();
	int r = aws_set_read(a, name, &s, err);

	if (r < 0 || (r = describe(a, &s, s.next, list, err)) < 0 ||
	    (r = describe(a, &s, s.old, list, err)) < 0)
		return r;
	*ret = xstrdup(s.live->name);
	*ret_beside = steal_pointer(&list);
	return 0;
}
