/* SPDX-License-Identifier: Apache-2.0 */
/* Repository= of Source=debian: a line as in sources.list(5); declared in template/setters.h. */
#include <string.h>

#include "lib/cleanup.h"
#include "template/setters.h"
#include "template/values.h"

static void deb_source_free(struct template_deb_source *s)
{
	free(s->keyring);
	free(s->uri);
	free(s->suite);
	strlist_free(&s->components);
	*s = (struct template_deb_source){0};
}

/* @field is the first member of template.base.deb_sources. */
void release_deb_sources(void *field)
{
	struct template *t = (struct template *)((char *)field - offsetof(struct template, base.deb_sources));

	for (size_t i = 0; i < t->base.deb_sources.len; i++)
		deb_source_free(&t->base.deb_sources.ptr[i]);
	free(t->base.deb_sources.ptr);
	t->base.deb_sources.ptr = NULL;
	t->base.deb_sources.len = t->base.deb_sources.cap = 0;
}

static int take_option(const struct parse *p, const char *option, struct template_deb_source *s,
		       struct error *err)
{
	static const char signed_by[] = "signed-by=";
	const struct key file = {.kind = PATH_FILE};
	int r;

	if (strcmp(option, "trusted=yes") == 0) {
		s->trusted = true;
		return 0;
	}
	if (strncmp(option, signed_by, strlen(signed_by)) != 0 || s->keyring)
		return error_usage(err, "'%s' is not signed-by=KEYRING or trusted=yes", option);
	r = setter_path(p, &file, option + strlen(signed_by), &s->keyring, err);
	if (r < 0)
		return error_prefix(err, "signed-by=");
	if (strpbrk(s->keyring, " \t[],"))
		return error_usage(
			err,
			"signed-by=%s: may have no blank, comma or bracket in its path: apt cannot read it",
			s->keyring);
	return 0;
}

/* The words from @i on that are in brackets; *@i moves behind them. */
static int take_options(const struct parse *p, const struct strlist *words, size_t *i,
			struct template_deb_source *s, struct error *err)
{
	bool open = true;

	if (*i >= words->len || words->ptr[*i][0] != '[')
		return 0;
	for (; open && *i < words->len; ++*i) {
		const char *word = words->ptr[*i] + (words->ptr[*i][0] == '[');
		size_t len = strlen(word);
		_cleanup_free_ char *option = NULL;
		int r;

		open = len == 0 || word[len - 1] != ']';
		option = xstrndup(word, len - !open);
		r = *option ? take_option(p, option, s, err) : 0;
		if (r < 0)
			return r;
	}
	return open ? error_usage(err, "the ']' is missing") : 0;
}

/* A directory of the host becomes a file:// URL. */
static int take_uri(const struct parse *p, const char *word, char **ret, struct error *err)
{
	const struct key directory = {.kind = PATH_DIRECTORY};
	_cleanup_free_ char *path = NULL, *uri = NULL;
	int r;

	if (strstr(word, "://")) {
		uri = xstrdup(word);
	} else {
		r = setter_path(p, &directory, word, &path, err);
		if (r < 0)
			return r;
		uri = xasprintf("file://%s", path);
	}
	r = name_mirror(uri, err);
	if (r == 0)
		*ret = steal_pointer(&uri);
	return r;
}

static int take_suite(const struct strlist *words, size_t i, struct template_deb_source *s, struct error *err)
{
	const char *suite = words->ptr[i];
	bool flat = suite[strlen(suite) - 1] == '/';
	int r = strcmp(suite, "./") == 0 ? 0 : name_suite(suite, err);

	for (i++; r >= 0 && i < words->len; i++) {
		r = name_component(words->ptr[i], err);
		strlist_add(&s->components, words->ptr[i]);
	}
	if (r < 0)
		return r;
	if (flat && s->components.len)
		return error_usage(err, "'%s': a repository that is one directory has no components", suite);
	if (!flat && !s->components.len)
		return error_usage(err, "'%s': its components are missing, such as main", suite);
	s->suite = xstrdup(suite);
	return 0;
}

int set_deb_source(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	__attribute__((cleanup(deb_source_free))) struct template_deb_source s = {.line = p->line};
	_cleanup_strlist_ struct strlist words = {0};
	struct template *t = p->t;
	int r = value_split(value, &words, err);
	size_t i = 1;

	(void)key;
	if (r == 0)
		r = take_options(p, &words, &i, &s, err);
	if (r < 0)
		return r;
	if (strcmp(words.ptr[0], "deb") != 0 || words.len < i + 2)
		return error_usage(err, "'%s' is not deb [signed-by=KEYRING] URI SUITE COMPONENT...", value);
	r = take_uri(p, words.ptr[i], &s.uri, err);
	if (r == 0)
		r = take_suite(&words, i + 1, &s, err);
	if (r < 0)
		return r;
	array_grow(t->base.deb_sources.ptr, t->base.deb_sources.len, t->base.deb_sources.cap);
	t->base.deb_sources.ptr[t->base.deb_sources.len++] = s;
	s = (struct template_deb_source){0};
	return 0;
}
