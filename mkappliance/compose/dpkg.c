/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/dpkg.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"

#define PACKAGES_MAX 200000u

static void package_free(struct dpkg_package *p)
{
	free(p->name);
	free(p->version);
	free(p->architecture);
	free(p->status);
	free(p->source);
	free(p->maintainer);
	free(p->provides);
	free(p->depends);
	free(p->pre_depends);
}

void dpkg_free(struct dpkg *d)
{
	for (size_t i = 0; i < d->len; i++)
		package_free(&d->list[i]);
	free(d->list);
	*d = (struct dpkg){0};
}

bool dpkg_installed(const struct dpkg_package *p)
{
	size_t len = p->status ? strlen(p->status) : 0;

	return len >= 10 && strcmp(p->status + len - 10, " installed") == 0;
}

/* Where the value of field @name goes; NULL for fields that do not matter here. */
static char **field_of(struct dpkg_package *p, const char *name, size_t len)
{
	const struct {
		const char *name;
		char **value;
	} fields[] = {
		{"Package", &p->name},	    {"Version", &p->version}, {"Architecture", &p->architecture},
		{"Status", &p->status},	    {"Source", &p->source},   {"Maintainer", &p->maintainer},
		{"Provides", &p->provides}, {"Depends", &p->depends}, {"Pre-Depends", &p->pre_depends},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strlen(fields[i].name) == len && strncasecmp(fields[i].name, name, len) == 0)
			return fields[i].value;
	return NULL;
}

static char *trimmed(const char *text, size_t len)
{
	while (len > 0 && isspace((unsigned char)text[0])) {
		text++;
		len--;
	}
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	return xstrndup(text, len);
}

/* Adds a continuation line to the value of the field before. */
static void append(char **value, const char *text, size_t len)
{
	_cleanup_free_ char *line = trimmed(text, len);
	char *joined = xasprintf("%s %s", *value, line);

	free(*value);
	*value = joined;
}

/* One paragraph's line. @last is the field that a continuation belongs to. */
static bool take_line(struct dpkg_package *p, const char *line, size_t len, char ***last)
{
	const char *colon;

	if (*line == ' ' || *line == '\t') {
		if (*last && **last)
			append(*last, line, len);
		return true;
	}
	colon = memchr(line, ':', len);
	if (!colon || colon == line)
		return false;
	*last = field_of(p, line, (size_t)(colon - line));
	if (*last) {
		free(**last);
		**last = trimmed(colon + 1, (size_t)(line + len - colon - 1));
	}
	return true;
}

static int finish(struct dpkg *d, struct dpkg_package *p, const char *name, struct error *err)
{
	if (!p->name || !p->version || !*p->name || !*p->version)
		return error_set(err, -EINVAL, "%s: a paragraph has no Package or no Version", name);
	if (d->len >= PACKAGES_MAX)
		return error_set(err, -EFBIG, "%s: more than %u packages", name, PACKAGES_MAX);
	array_grow(d->list, d->len, d->cap);
	d->list[d->len++] = *p;
	*p = (struct dpkg_package){0};
	return 0;
}

int dpkg_parse(const char *text, size_t len, const char *name, struct dpkg *ret, struct error *err)
{
	_cleanup_(package_free) struct dpkg_package p = {0};
	_cleanup_dpkg_ struct dpkg d = {0};
	char **last = NULL;
	bool open = false;
	unsigned number = 1;
	int r = 0;

	for (; len > 0 && r == 0; number++) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;

		if (n == 0 && open) {
			r = finish(&d, &p, name, err);
			open = false;
			last = NULL;
		} else if (n > 0) {
			open = true;
			if (memchr(text, 0, n) || !take_line(&p, text, n, &last))
				r = error_set(err, -EINVAL, "%s:%u: is not a line of a control file", name,
					      number);
		}
		n += nl != NULL;
		text += n;
		len -= n;
	}
	if (r == 0 && open)
		r = finish(&d, &p, name, err);
	if (r < 0)
		return r;
	*ret = d;
	d = (struct dpkg){0};
	return 0;
}

/* deb-version(7): '~' before the end, the end before letters, letters before the rest. */
static int rank(char c)
{
	if (c == '~')
		return -1;
	if (c == 0 || isdigit((unsigned char)c))
		return 0;
	return isalpha((unsigned char)c) ? (unsigned char)c : (unsigned char)c + 256;
}

/* Compares two parts of @alen and @blen bytes, digits as numbers. */
static int compare_part(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t i = 0, j = 0;

	while (i < alen || j < blen) {
		int first = 0;

		while ((i < alen && !isdigit((unsigned char)a[i])) ||
		       (j < blen && !isdigit((unsigned char)b[j]))) {
			int x = i < alen ? rank(a[i]) : 0, y = j < blen ? rank(b[j]) : 0;

			if (x != y)
				return x - y;
			i += i < alen;
			j += j < blen;
		}
		while (i < alen && a[i] == '0')
			i++;
		while (j < blen && b[j] == '0')
			j++;
		for (; i < alen && j < blen && isdigit((unsigned char)a[i]) && isdigit((unsigned char)b[j]);
		     i++, j++)
			if (!first)
				first = a[i] - b[j];
		if (i < alen && isdigit((unsigned char)a[i]))
			return 1;
		if (j < blen && isdigit((unsigned char)b[j]))
			return -1;
		if (first)
			return first;
	}
	return 0;
}

int dpkg_version_compare(const char *a, const char *b)
{
	const char *ac = strchr(a, ':'), *bc = strchr(b, ':');
	const char *ar, *br;
	size_t alen, blen;
	int c;

	/* No epoch is epoch 0, which is what an empty part compares as. */
	c = compare_part(a, ac ? (size_t)(ac - a) : 0, b, bc ? (size_t)(bc - b) : 0);
	if (c)
		return c;
	a = ac ? ac + 1 : a;
	b = bc ? bc + 1 : b;
	ar = strrchr(a, '-');
	br = strrchr(b, '-');
	alen = ar ? (size_t)(ar - a) : strlen(a);
	blen = br ? (size_t)(br - b) : strlen(b);
	c = compare_part(a, alen, b, blen);
	if (c)
		return c;
	a = ar ? ar + 1 : "";
	b = br ? br + 1 : "";
	return compare_part(a, strlen(a), b, strlen(b));
}

/* One alternative: "NAME[:ARCH] [(OP VERSION)] [[ARCHS]] [<PROFILES>]". */
struct relation {
	const char *name;
	size_t name_len;
	char op[3];
	char *version; /* NULL: any */
};

static void relation_free(struct relation *r)
{
	free(r->version);
}

static void parse_relation(const char *text, size_t len, struct relation *ret)
{
	const char *open = memchr(text, '(', len);
	const char *close = open ? memchr(open, ')', len - (size_t)(open - text)) : NULL;

	while (len > 0 && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	ret->name = text;
	while (ret->name_len < len && !isspace((unsigned char)text[ret->name_len]) &&
	       !strchr(":([<", text[ret->name_len]))
		ret->name_len++;
	if (!close)
		return;
	open += 1;
	open += strspn(open, " ");
	for (size_t i = 0; i < 2 && open < close && strchr("<>=", *open); i++)
		ret->op[i] = *open++;
	ret->version = trimmed(open, (size_t)(close - open));
}

static bool version_fits(const char *have, const struct relation *want)
{
	int c;

	if (!want->version)
		return true;
	c = dpkg_version_compare(have, want->version);
	if (strcmp(want->op, ">=") == 0)
		return c >= 0;
	if (strcmp(want->op, "<=") == 0)
		return c <= 0;
	if (strcmp(want->op, ">>") == 0)
		return c > 0;
	if (strcmp(want->op, "<<") == 0)
		return c < 0;
	return c == 0;
}

/* Whether one of a Provides= value's names is @name. */
static bool provides(const char *list, const char *name, size_t len)
{
	while (list && *list) {
		list += strspn(list, ", ");
		if (strncmp(list, name, len) == 0 && (list[len] == 0 || strchr(", (:", list[len])))
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

static bool satisfied(const struct dpkg *d, const struct relation *want)
{
	for (size_t i = 0; i < d->len; i++) {
		const struct dpkg_package *p = &d->list[i];

		if (!dpkg_installed(p))
			continue;
		if (strncmp(p->name, want->name, want->name_len) == 0 && p->name[want->name_len] == 0 &&
		    version_fits(p->version, want))
			return true;
		if (want->name_len && provides(p->provides, want->name, want->name_len))
			return true;
	}
	return false;
}

/* Whether one of the alternatives "A | B" is there. */
static bool clause_met(const struct dpkg *d, const char *text, size_t len)
{
	while (len > 0) {
		const char *bar = memchr(text, '|', len);
		size_t n = bar ? (size_t)(bar - text) : len;
		_cleanup_(relation_free) struct relation want = {0};

		parse_relation(text, n, &want);
		if (satisfied(d, &want))
			return true;
		n += bar != NULL;
		text += n;
		len -= n;
	}
	return false;
}

char *dpkg_first_unmet(const struct dpkg *d, const char *depends)
{
	while (depends && *depends) {
		size_t n = strcspn(depends, ",");
		_cleanup_free_ char *clause = trimmed(depends, n);

		if (*clause && !clause_met(d, clause, strlen(clause)))
			return steal_pointer(&clause);
		depends += n + (depends[n] == ',');
	}
	return NULL;
}
