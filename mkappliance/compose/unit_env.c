/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/unit_env.h"

#include <string.h>

#include "compose/unit_words.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define BLANKS	"\t\n\r "
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
#define DIGITS	"0123456789"

const char *env_get(const struct strlist *env, const char *name, size_t len)
{
	for (size_t i = 0; i < env->len; i++)
		if (strncmp(env->ptr[i], name, len) == 0 && env->ptr[i][len] == '=')
			return env->ptr[i] + len + 1;
	return NULL;
}

void env_set(struct strlist *env, const char *assignment)
{
	size_t len = strcspn(assignment, "=") + 1;

	for (size_t i = 0; i < env->len; i++)
		if (strncmp(env->ptr[i], assignment, len) == 0) {
			free(env->ptr[i]);
			env->ptr[i] = xstrdup(assignment);
			return;
		}
	strlist_add(env, assignment);
}

bool env_is_assignment(const char *assignment)
{
	size_t len = strspn(assignment, LETTERS DIGITS);

	return len > 0 && strchr(LETTERS, *assignment) && assignment[len] == '=';
}

/* ---- files ---- */

/* What is in quotes at *@p, which stands behind the first one and moves behind the last. */
static const char *take_quoted(const char *p, char quote, struct buf *value)
{
	for (; *p && *p != quote; p++) {
		if (*p == '\\' && quote == '"' && p[1]) {
			p++;
			if (*p != '\n') {
				if (!strchr("\"\\`$", *p))
					buf_add(value, "\\", 1);
				buf_add(value, p, 1);
			}
		} else {
			buf_add(value, p, 1);
		}
	}
	return p + (*p != 0);
}

/* What is not in quotes, up to the end of the line, without blanks at its end. */
static const char *take_bare(const char *p, struct buf *value)
{
	size_t keep = value->len;

	for (; *p && *p != '\n'; p++) {
		bool escaped = *p == '\\' && p[1];

		p += escaped;
		if (escaped && *p == '\n')
			continue;
		buf_add(value, p, 1);
		if (escaped || !strchr(BLANKS, *p))
			keep = value->len;
	}
	if (value->ptr) {
		value->len = keep;
		value->ptr[keep] = 0;
	}
	return p;
}

/* From behind the '=' to the end of the value; returns where the next line starts. */
static const char *take_value(const char *p, struct buf *value)
{
	for (;;) {
		p += strspn(p, "\t\r ");
		if (*p == '\'' || *p == '"') {
			p = take_quoted(p + 1, *p, value);
			continue;
		}
		p = take_bare(p, value);
		return p + (*p == '\n');
	}
}

/* A comment goes on behind a backslash. */
static const char *skip_comment(const char *p)
{
	for (; *p && *p != '\n'; p++)
		if (*p == '\\' && p[1])
			p++;
	return p;
}

static void set_from_file(const char *name, size_t len, const char *value, const char *file,
			  struct strlist *env)
{
	_cleanup_free_ char *assignment = NULL;

	while (len > 0 && strchr(BLANKS, name[len - 1]))
		len--;
	assignment = xasprintf("%.*s=%s", (int)len, name, value);
	if (len > 0 && env_is_assignment(assignment))
		env_set(env, assignment);
	else
		log_warning("%s: '%.*s' is not the name of a variable; passed over, as systemd does", file,
			    (int)len, name);
}

void env_parse_file(const char *text, size_t len, const char *name, struct strlist *env)
{
	_cleanup_free_ char *copy = xstrndup(text ? text : "", len); /* ends at a NUL byte, if there is one */
	const char *p = copy;

	while (*(p += strspn(p, BLANKS))) {
		_cleanup_buf_ struct buf value = {0};
		size_t key = strcspn(p, "=\n");

		if (*p == '#' || *p == ';') {
			p = skip_comment(p);
			continue;
		}
		if (p[key] != '=') {
			log_warning("%s: '%.*s' is no NAME=VALUE; passed over, as systemd does", name,
				    (int)key, p);
			p += key;
			continue;
		}
		const char *next = take_value(p + key + 1, &value);

		set_from_file(p, key, value.ptr ? value.ptr : "", name, env);
		p = next;
	}
}

/* ---- commands ---- */

static const char *look_up(const struct strlist *env, const char *name, size_t len, struct strlist *unset)
{
	const char *value = env_get(env, name, len);

	if (!value)
		strlist_addf(unset, "%.*s", (int)len, name);
	return value ? value : "";
}

static char *expand_braces(const char *word, const struct strlist *env, struct strlist *unset)
{
	_cleanup_buf_ struct buf b = {0};

	for (const char *p = word; *p; p++) {
		const char *end = *p == '$' && p[1] == '{' ? strchr(p + 2, '}') : NULL;

		if (end) {
			buf_printf(&b, "%s", look_up(env, p + 2, (size_t)(end - p) - 2, unset));
			p = end;
		} else {
			p += *p == '$' && p[1] == '$';
			buf_add(&b, p, 1);
		}
	}
	return buf_steal(&b);
}

int env_expand(const struct strlist *words, const struct strlist *env, struct strlist *ret,
	       struct strlist *unset, struct error *err)
{
	for (size_t i = 0; i < words->len; i++) {
		const char *word = words->ptr[i];
		_cleanup_free_ char *value = NULL;
		int r;

		if (*word == '$' && word[1] && word[1] != '{' && word[1] != '$') {
			r = unit_words(look_up(env, word + 1, strlen(word + 1), unset), ret, err);
			if (r < 0)
				return error_prefix(err, "%s", word);
			continue;
		}
		value = expand_braces(word, env, unset);
		strlist_add(ret, value);
	}
	return 0;
}
