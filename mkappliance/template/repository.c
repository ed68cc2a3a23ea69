/* SPDX-License-Identifier: Apache-2.0 */
/* Repository= of [Base] and the keys of signatures; declared in template/setters.h. */
#include <string.h>

#include "lib/cleanup.h"
#include "template/setters.h"
#include "template/values.h"

#define PRIORITY_DEFAULT 99

static void repository_free(struct template_repository *r)
{
	free(r->name);
	free(r->url);
	strlist_free(&r->keys);
	*r = (struct template_repository){0};
}

/* @field is the first member of template.base.repositories. */
void release_repositories(void *field)
{
	struct template *t =
		(struct template *)((char *)field - offsetof(struct template, base.repositories));

	for (size_t i = 0; i < t->base.repositories.len; i++)
		repository_free(&t->base.repositories.ptr[i]);
	free(t->base.repositories.ptr);
	t->base.repositories.ptr = NULL;
	t->base.repositories.len = t->base.repositories.cap = 0;
	release_deb_sources(&t->base.deb_sources);
}

/* "KEY=VALUE": the value; NULL: it is another key. */
static const char *value_of(const char *word, const char *key)
{
	size_t len = strlen(key);

	return strncmp(word, key, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

static bool is_url(const char *value)
{
	return strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0 ||
	       strncmp(value, "file://", 7) == 0;
}

/* A file of the host, or a URL. */
static int take_key(const struct parse *p, const char *value, struct strlist *ret, struct error *err)
{
	const struct key file = {.kind = PATH_FILE};
	_cleanup_free_ char *path = NULL;
	int r = is_url(value) ? name_mirror(value, err) : setter_path(p, &file, value, &path, err);

	if (r >= 0)
		strlist_add(ret, path ? path : value);
	return r;
}

/* A directory of the host becomes a file:// URL. */
static int take_url(const struct parse *p, const char *word, struct template_repository *repo,
		    struct error *err)
{
	const struct key directory = {.kind = PATH_DIRECTORY};
	const char *metalink = value_of(word, "metalink"), *mirrorlist = value_of(word, "mirrorlist");
	_cleanup_free_ char *path = NULL;
	int r;

	repo->kind = metalink ? REPOSITORY_METALINK : mirrorlist ? REPOSITORY_MIRRORLIST : REPOSITORY_BASEURL;
	word = metalink ? metalink : mirrorlist ? mirrorlist : word;
	if (is_url(word) || repo->kind != REPOSITORY_BASEURL) {
		r = name_mirror(word, err);
		if (r >= 0)
			repo->url = xstrdup(word);
		return r;
	}
	r = setter_path(p, &directory, word, &path, err);
	if (r < 0)
		return r;
	repo->url = xasprintf("file://%s", path);
	return name_mirror(repo->url, err);
}

static int take_option(const struct parse *p, const char *word, struct template_repository *repo,
		       struct error *err)
{
	const char *value;
	uint64_t n;
	int r;

	if ((value = value_of(word, "gpgkey")))
		return take_key(p, value, &repo->keys, err);
	if ((value = value_of(word, "gpgcheck"))) {
		if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
			return error_usage(err, "gpgcheck=%s is neither yes nor no", value);
		repo->check = *value == 'y';
		return 0;
	}
	if ((value = value_of(word, "priority"))) {
		r = value_number(value, 1, PRIORITY_DEFAULT, &n, err);
		if (r < 0)
			return error_prefix(err, "priority=");
		repo->priority = (unsigned)n;
		return 0;
	}
	return error_usage(err, "'%s' is not gpgkey=, gpgcheck= or priority=", word);
}

static int check_repository(const struct template *t, const struct template_repository *repo,
			    struct error *err)
{
	for (size_t i = 0; i < t->base.repositories.len; i++)
		if (strcmp(t->base.repositories.ptr[i].name, repo->name) == 0)
			return error_usage(err, "'%s' is the name of another repository already, in line %u",
					   repo->name, t->base.repositories.ptr[i].line);
	if (repo->check && repo->keys.len == 0)
		return error_usage(
			err,
			"'%s': gpgkey= is missing, the key that its packages are signed with (or say "
			"gpgcheck=no)",
			repo->name);
	if (!repo->check && repo->keys.len)
		return error_usage(err, "'%s': gpgkey= has no use with gpgcheck=no", repo->name);
	return 0;
}

int set_repository(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	__attribute__((cleanup(repository_free))) struct template_repository repo = {
		.check = true, .priority = PRIORITY_DEFAULT, .line = p->line};
	_cleanup_strlist_ struct strlist words = {0};
	struct template *t = p->t;
	int r = value_split(value, &words, err);

	if (r < 0)
		return r;
	if (strcmp(words.ptr[0], "deb") == 0)
		return set_deb_source(p, key, value, err);
	if (words.len < 2)
		return error_usage(err, "'%s' is not NAME URL [gpgkey=KEY] [gpgcheck=no] [priority=N]",
				   value);
	r = name_repository(words.ptr[0], err);
	if (r < 0)
		return r;
	repo.name = xstrdup(words.ptr[0]);
	r = take_url(p, words.ptr[1], &repo, err);
	for (size_t i = 2; r >= 0 && i < words.len; i++)
		r = take_option(p, words.ptr[i], &repo, err);
	if (r >= 0)
		r = check_repository(t, &repo, err);
	if (r < 0)
		return r;
	array_grow(t->base.repositories.ptr, t->base.repositories.len, t->base.repositories.cap);
	t->base.repositories.ptr[t->base.repositories.len++] = repo;
	repo = (struct template_repository){0};
	return 0;
}

int set_key_list(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	return take_key(p, value, setter_field(p, key), err);
}
