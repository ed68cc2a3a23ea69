/* SPDX-License-Identifier: Apache-2.0 */
/* Settings whose value is made of several words; declared in template/setters.h. */
#include "template/setters.h"

#include <string.h>

#include "lib/cleanup.h"
#include "template/values.h"

int set_command_line(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	char **field = setter_field(p, key);
	_cleanup_free_ char *all = *field ? xasprintf("%s %s", *field, value) : xstrdup(value);
	int r = setter_check(key, all, err);

	if (r < 0)
		return r;
	free(*field);
	*field = steal_pointer(&all);
	return 0;
}

int set_exec(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	_cleanup_strlist_ struct strlist argv = {0};
	int r = value_split(value, &argv, err);

	if (r < 0)
		return r;
	r = name_image_path(argv.ptr[0], err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < argv.len; i++)
		strlist_add(setter_field(p, key), argv.ptr[i]);
	return 0;
}

int set_before(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	struct template_before b = {.may_fail = *value == '-'};
	struct template_service *s = p->service;
	int r;

	(void)key;
	value += b.may_fail;
	b.as_root = *value == '+';
	value += b.as_root;
	r = value_split(value, &b.argv, err);
	if (r == 0 && b.argv.len == 0)
		r = error_usage(err, "there is no program behind the prefix");
	if (r == 0)
		r = name_image_path(b.argv.ptr[0], err);
	if (r < 0) {
		strlist_free(&b.argv);
		return r;
	}
	array_grow(s->before.ptr, s->before.len, s->before.cap);
	s->before.ptr[s->before.len++] = b;
	return 0;
}

int set_environment(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	struct strlist *all = setter_field(p, key);
	_cleanup_strlist_ struct strlist words = {0};
	int r = value_split(value, &words, err);

	for (size_t i = 0; r >= 0 && i < words.len; i++) {
		size_t name = strcspn(words.ptr[i], "=") + 1;

		r = setter_check(key, words.ptr[i], err);
		for (size_t j = 0; r >= 0 && j < all->len; j++)
			if (strncmp(all->ptr[j], words.ptr[i], name) == 0)
				r = error_usage(err, "'%s' is set already, as '%s'", words.ptr[i],
						all->ptr[j]);
		if (r >= 0)
			strlist_add(all, words.ptr[i]);
	}
	return r;
}

static void file_free(struct template_file *f)
{
	free(f->source);
	free(f->target);
	free(f->owner);
	free(f->group);
	*f = (struct template_file){0};
}

static int take_mode(const char *value, mode_t *ret, struct error *err)
{
	size_t len = strlen(value);

	if (len < 3 || len > 5 || strspn(value, "01234567") != len || strtoul(value, NULL, 8) > 07777)
		return error_usage(err, "mode=%s is not an octal mode like 0644", value);
	*ret = (mode_t)strtoul(value, NULL, 8);
	return 0;
}

static int take_account(const char *value, char **ret, struct error *err)
{
	int r = name_account(value, err);

	if (r < 0)
		return r;
	free(*ret);
	*ret = xstrdup(value);
	return 0;
}

/* mode=, owner= or group= behind SOURCE:TARGET. */
static int take_copy_option(struct template_file *f, const char *word, struct error *err)
{
	const char *value = strchr(word, '=');
	size_t len = value ? (size_t)(value++ - word) : 0;

	if (len == 4 && memcmp(word, "mode", 4) == 0 && !f->has_mode) {
		f->has_mode = true;
		return take_mode(value, &f->mode, err);
	}
	if (len == 5 && memcmp(word, "owner", 5) == 0 && !f->owner)
		return take_account(value, &f->owner, err);
	if (len == 5 && memcmp(word, "group", 5) == 0 && !f->group)
		return take_account(value, &f->group, err);
	return error_usage(err, "'%s' is not mode=, owner= or group= (each at most once)", word);
}

/* A path of the image; a '/' at its end says "into that directory". */
static int take_target(const char *value, char **ret, struct error *err)
{
	size_t len = strlen(value);
	_cleanup_free_ char *bare = xstrndup(value, len > 1 && value[len - 1] == '/' ? len - 1 : len);
	int r = name_image_path(bare, err);

	if (r < 0)
		return r;
	*ret = xstrdup(value);
	return 0;
}

int set_copy(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	__attribute__((cleanup(file_free))) struct template_file f = {.line = p->line};
	_cleanup_strlist_ struct strlist words = {0};
	int r = value_split(value, &words, err);
	char *colon;

	if (r < 0)
		return r;
	colon = strchr(words.ptr[0], ':');
	if (!colon || colon == words.ptr[0])
		return error_usage(err, "'%s' is not SOURCE:TARGET", words.ptr[0]);
	*colon = 0;
	r = take_target(colon + 1, &f.target, err);
	if (r < 0)
		return r;
	for (size_t i = 1; i < words.len; i++) {
		r = take_copy_option(&f, words.ptr[i], err);
		if (r < 0)
			return r;
	}
	r = setter_path(p, key, words.ptr[0], &f.source, err);
	if (r < 0)
		return r;
	array_grow(p->t->files.ptr, p->t->files.len, p->t->files.cap);
	p->t->files.ptr[p->t->files.len++] = f;
	f = (struct template_file){0};
	return 0;
}

int set_ready(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	struct template_service *s = p->service;
	struct value_url url = {.port = 0};
	bool file = strncmp(value, "file:", 5) == 0, notify = strcmp(value, "notify") == 0;
	int r = file ? name_image_path(value + 5, err) : notify ? 0 : value_url(value, &url, err);

	(void)key;
	if (r < 0)
		return r;
	s->ready_kind = file ? READY_FILE : notify ? READY_NOTIFY : READY_PORT;
	s->ready_port = url.port;
	s->ready_path = file ? xstrdup(value + 5) : url.path;
	return 0;
}

int set_watch(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	struct template_service *s = p->service;
	struct value_url url = {.port = 0};
	bool notify = strcmp(value, "notify") == 0;
	int r = notify ? 0 : value_url(value, &url, err);

	(void)key;
	if (r < 0)
		return r;
	s->watch_kind = notify ? READY_NOTIFY : READY_PORT;
	s->watch_port = url.port;
	s->watch_path = url.path;
	return 0;
}

static void probe_free(struct template_probe *probe)
{
	free(probe->path);
	free(probe->body);
	*probe = (struct template_probe){0};
}

/* Get=URL [STATUS [TEXT]] and Connect=URL. */
int set_probe(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	bool http = strcmp(key_short_name(key), "Get") == 0;
	__attribute__((cleanup(probe_free))) struct template_probe probe = {.status = 200, .line = p->line};
	_cleanup_strlist_ struct strlist words = {0};
	struct value_url url;
	uint64_t status = 200;
	int r = value_split(value, &words, err);

	if (r < 0)
		return r;
	r = value_url(words.ptr[0], &url, err);
	if (r < 0)
		return r;
	probe.kind = url.http ? PROBE_HTTP : PROBE_TCP;
	probe.port = url.port;
	probe.path = url.path;
	if (url.http != http)
		return error_usage(err, "'%s' is not %s", words.ptr[0],
				   http ? "http://:PORT/PATH" : "tcp://:PORT");
	if (words.len > (http ? 3 : 1))
		return error_usage(err, "'%s' is one word too many%s", words.ptr[http ? 3 : 1],
				   http ? "; a text with blanks needs quotes" : "");
	if (words.len > 1) {
		r = value_number(words.ptr[1], 100, 599, &status, err);
		if (r < 0)
			return error_prefix(err, "the status");
	}
	probe.status = (int)status;
	if (words.len > 2)
		probe.body = xstrdup(words.ptr[2]);
	array_grow(p->t->test.ptr, p->t->test.len, p->t->test.cap);
	p->t->test.ptr[p->t->test.len++] = probe;
	probe = (struct template_probe){0};
	return 0;
}

/* ---- back to nothing ---- */

void release_string(void *field)
{
	free(*(char **)field);
	*(char **)field = NULL;
}

void release_strlist(void *field)
{
	strlist_free(field);
}

/* @field is the first member of template_service.before. */
void release_before(void *field)
{
	struct template_service *s =
		(struct template_service *)((char *)field - offsetof(struct template_service, before));

	for (size_t i = 0; i < s->before.len; i++)
		strlist_free(&s->before.ptr[i].argv);
	free(s->before.ptr);
	s->before.ptr = NULL;
	s->before.len = s->before.cap = 0;
}

/* @field is the first member of template.files. */
void release_files(void *field)
{
	struct template *t = (struct template *)((char *)field - offsetof(struct template, files));

	for (size_t i = 0; i < t->files.len; i++)
		file_free(&t->files.ptr[i]);
	free(t->files.ptr);
	t->files.ptr = NULL;
	t->files.len = t->files.cap = 0;
}

/* @field is the first member of template.test. */
static void release_probes(void *field, bool http)
{
	struct template *t = (struct template *)((char *)field - offsetof(struct template, test));
	size_t kept = 0;

	for (size_t i = 0; i < t->test.len; i++) {
		if ((t->test.ptr[i].kind == PROBE_HTTP) == http)
			probe_free(&t->test.ptr[i]);
		else
			t->test.ptr[kept++] = t->test.ptr[i];
	}
	t->test.len = kept;
	if (kept == 0) {
		free(t->test.ptr);
		t->test.ptr = NULL;
		t->test.cap = 0;
	}
}

void release_http_probes(void *field)
{
	release_probes(field, true);
}

void release_tcp_probes(void *field)
{
	release_probes(field, false);
}
