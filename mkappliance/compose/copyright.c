/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/copyright.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "lib/mem.h"

/* Licenses of one package that are listed, and bytes of one name: linux has some 60. */
#define NAMES_MAX 256
#define NAME_MAX_ 200

/* What a paragraph has said so far; borrowed from the text. */
struct paragraph {
	bool files; /* or the header: its License: counts; that of a stand-alone paragraph only gives the text */
	const char *license;
	size_t license_len;
};

static bool is_field(const char *line, size_t len, const char *name)
{
	size_t n = strlen(name);

	return len > n && strncasecmp(line, name, n) == 0 && line[n] == ':';
}

static bool is_blank(const char *line, size_t len)
{
	while (len > 0 && isspace((unsigned char)*line)) {
		line++;
		len--;
	}
	return len == 0;
}

/* The name with its spaces made single, in parentheses when it has any; NULL: not a name. To be freed. */
static char *name_of(const char *text, size_t len)
{
	_cleanup_buf_ struct buf b = {0};

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == ' ' || c == '\t' || c == '\r') {
			if (b.len && b.ptr[b.len - 1] != ' ')
				buf_add(&b, " ", 1);
		} else if (c > ' ' && c < 0x7f) {
			buf_add(&b, text + i, 1);
		} else {
			return NULL;
		}
	}
	while (b.len && b.ptr[b.len - 1] == ' ')
		b.ptr[--b.len] = 0;
	if (!b.len || b.len > NAME_MAX_)
		return NULL;
	return strchr(b.ptr, ' ') ? xasprintf("(%s)", b.ptr) : buf_steal(&b);
}

static void finish(const struct paragraph *p, struct strlist *names)
{
	_cleanup_free_ char *name = p->files && p->license ? name_of(p->license, p->license_len) : NULL;

	for (size_t i = 0; name && i < names->len; i++)
		if (strcmp(names->ptr[i], name) == 0)
			return;
	if (name && names->len < NAMES_MAX)
		strlist_add(names, name);
}

/* "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/", in older ones "Format-Specification:". */
static bool is_machine_readable(const char *text, size_t len)
{
	const char *nl;

	while (len > 0 && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	nl = memchr(text, '\n', len);
	len = nl ? (size_t)(nl - text) : len;
	return is_field(text, len, "Format") || is_field(text, len, "Format-Specification");
}

static char *join(const struct strlist *names)
{
	_cleanup_buf_ struct buf b = {0};

	for (size_t i = 0; i < names->len; i++)
		buf_printf(&b, "%s%s", i ? " AND " : "", names->ptr[i]);
	return b.len ? buf_steal(&b) : NULL;
}

char *copyright_licenses(const char *text, size_t len)
{
	_cleanup_strlist_ struct strlist names = {0};
	struct paragraph p = {.files = true}; /* the header */

	if (!is_machine_readable(text, len))
		return NULL;
	while (len > 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;

		if (is_blank(text, n)) {
			finish(&p, &names);
			p = (struct paragraph){0};
		} else if (is_field(text, n, "Files") || is_field(text, n, "Format")) {
			p.files = true;
		} else if (is_field(text, n, "License")) {
			p.license = text + strlen("License:");
			p.license_len = n - strlen("License:");
		}
		n += nl != NULL;
		text += n;
		len -= n;
	}
	finish(&p, &names);
	return join(&names);
}
