/* SPDX-License-Identifier: Apache-2.0 */
#include "image/spdx_license.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"

#define REF_PREFIX "LicenseRef-"
#define DEPTH_MAX  16u
#define REF_MAX	   64u

struct span {
	const char *ptr;
	size_t len;
};

void spdx_licenses_free(struct spdx_licenses *l)
{
	strlist_free(&l->ids);
	strlist_free(&l->names);
}

static struct span trim(struct span s)
{
	while (s.len && isspace((unsigned char)*s.ptr)) {
		s.ptr++;
		s.len--;
	}
	while (s.len && isspace((unsigned char)s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* ---- what is not on the list ---- */

static bool ref_is_taken(const struct spdx_licenses *refs, const char *id)
{
	for (size_t i = 0; i < refs->ids.len; i++)
		if (strcmp(refs->ids.ptr[i], id) == 0)
			return true;
	return false;
}

/* The LicenseRef of @name: the same for the same, another for every other. To be freed. */
static char *make_ref(const char *name, struct spdx_licenses *refs)
{
	_cleanup_buf_ struct buf b = {0};
	size_t stem;

	for (size_t i = 0; i < refs->names.len; i++)
		if (strcmp(refs->names.ptr[i], name) == 0)
			return xstrdup(refs->ids.ptr[i]);
	if (strncmp(name, REF_PREFIX, strlen(REF_PREFIX)) != 0)
		buf_add(&b, REF_PREFIX, strlen(REF_PREFIX));
	for (const char *p = name; *p && b.len < REF_MAX; p++)
		if (isalnum((unsigned char)*p) || *p == '.')
			buf_add(&b, p, 1);
		else if (b.ptr && b.ptr[b.len - 1] != '-')
			buf_add(&b, "-", 1);
	stem = b.len;
	for (unsigned n = 2; stem <= strlen(REF_PREFIX) || ref_is_taken(refs, b.ptr); n++) {
		b.len = stem;
		buf_printf(&b, "-%u", n);
		stem = stem <= strlen(REF_PREFIX) ? b.len : stem;
	}
	strlist_add(&refs->ids, b.ptr);
	strlist_add(&refs->names, name);
	return buf_steal(&b);
}

/* ---- operands ---- */

/* "GPL-2.0-only", "Apache-2.0+"; NULL: not on the list. To be freed. */
static char *known_license(const char *name)
{
	const char *id = spdx_license_id(name);
	size_t len = strlen(name);

	if (id)
		return xstrdup(id);
	if (len > 1 && name[len - 1] == '+') {
		_cleanup_free_ char *base = xstrndup(name, len - 1);

		id = spdx_license_id(base);
		/* Those of the FSF say it in the identifier. */
		if (id && !strstr(id, "-only") && !strstr(id, "-or-later"))
			return xasprintf("%s+", id);
	}
	return NULL;
}

/* The keyword @word at @at, with what ends a word on both sides. */
static bool is_word_at(struct span s, size_t at, const char *word)
{
	size_t len = strlen(word);

	return at + len <= s.len && strncasecmp(s.ptr + at, word, len) == 0 && at > 0 &&
	       (isspace((unsigned char)s.ptr[at - 1]) || s.ptr[at - 1] == ')') && at + len < s.len &&
	       (isspace((unsigned char)s.ptr[at + len]) || s.ptr[at + len] == '(');
}

/* "X with Y" where both are known; NULL otherwise. To be freed. */
static char *with_exception(struct span s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (!is_word_at(s, i, "with"))
			continue;

		struct span left = trim((struct span){s.ptr, i});
		struct span right = trim((struct span){s.ptr + i + 4, s.len - i - 4});
		_cleanup_free_ char *name = xstrndup(left.ptr, left.len);
		_cleanup_free_ char *exception = xstrndup(right.ptr, right.len);
		_cleanup_free_ char *license = known_license(name);
		const char *id = spdx_exception_id(exception);

		return license && id ? xasprintf("%s WITH %s", license, id) : NULL;
	}
	return NULL;
}

static char *operand(struct span s, struct spdx_licenses *refs)
{
	_cleanup_free_ char *name = xstrndup(s.ptr, s.len);
	char *known = known_license(name);

	if (!known)
		known = with_exception(s);
	return known ? known : make_ref(name, refs);
}

/* ---- expressions ---- */

/* Whether the parentheses of @s are pairs. */
static bool is_balanced(struct span s)
{
	unsigned depth = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == ')' && depth-- == 0)
			return false;
		depth += s.ptr[i] == '(';
	}
	return depth == 0;
}

/* Bytes of the operator that stands at @at outside of parentheses; 0: none. */
static size_t operator_at(struct span s, size_t at, const char **ret)
{
	static const char *const words[] = {"AND", "OR"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (is_word_at(s, at, words[i])) {
			*ret = words[i];
			return strlen(words[i]);
		}
	return 0;
}

/* Where the first operator outside of parentheses is; s.len: there is none. */
static size_t find_operator(struct span s, const char **ret, size_t *ret_len)
{
	unsigned depth = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '(')
			depth++;
		else if (s.ptr[i] == ')')
			depth--;
		else if (depth == 0 && (*ret_len = operator_at(s, i, ret)) > 0)
			return i;
	}
	return s.len;
}

static bool is_in_parentheses(struct span s)
{
	return s.len > 2 && s.ptr[0] == '(' && s.ptr[s.len - 1] == ')' &&
	       is_balanced((struct span){s.ptr + 1, s.len - 2});
}

/* Balanced @s, appended to @b. */
static void expression(struct span s, unsigned depth, struct buf *b, struct spdx_licenses *refs)
{
	for (;;) {
		const char *word = NULL;
		size_t word_len = 0, at = find_operator(s, &word, &word_len);
		struct span part = trim((struct span){s.ptr, at});

		if (is_in_parentheses(part) && depth < DEPTH_MAX) {
			buf_add(b, "(", 1);
			expression((struct span){part.ptr + 1, part.len - 2}, depth + 1, b, refs);
			buf_add(b, ")", 1);
		} else {
			_cleanup_free_ char *text = operand(part, refs);

			buf_add(b, text, strlen(text));
		}
		if (at == s.len)
			return;
		buf_printf(b, " %s ", word);
		s.ptr += at + word_len;
		s.len -= at + word_len;
	}
}

char *spdx_license(const char *text, struct spdx_licenses *refs)
{
	struct span s = trim((struct span){text, strlen(text)});
	_cleanup_buf_ struct buf b = {0};

	if (!is_balanced(s))
		return operand(s, refs);
	expression(s, 0, &b, refs);
	return buf_steal(&b);
}
