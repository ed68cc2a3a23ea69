/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/apk.h"

#include <errno.h>
#include <string.h>

#include "compose/gunzip.h"
#include "lib/cleanup.h"

#define PACKAGES_MAX 200000u

#define TAR_NAME 100u /* the name in a tar's header, which begins with it */

/* ---- a package ---- */

/* abuild writes a header of its own for the times before that of the file: "./PaxHeaders/.SIGN.RSA.key". */
static bool is_first_name(const char *header)
{
	_cleanup_free_ char *name = xstrndup(header, TAR_NAME);
	const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;

	return strncmp(base, ".SIGN.", 6) == 0 || strcmp(base, ".PKGINFO") == 0;
}

bool apk_begins(const void *head, size_t len)
{
	struct gunzip_memory m = {head, len};
	struct gunzip *g;
	const char *wrong;
	const void *part;
	bool is;

	/* not compressed, by deflate, or as the fifth byte says: apk-v3(5), FILE COMPRESSION */
	if (len >= 4 && memcmp(head, "ADB", 3) == 0)
		return strchr(".dc", ((const char *)head)[3]) && ((const char *)head)[3];
	if (len < 2 || memcmp(head, "\x1f\x8b", 2) != 0)
		return false;
	g = gunzip_new(gunzip_read_memory, &m);
	is = gunzip_next(g, &part, &wrong) >= (ssize_t)TAR_NAME && is_first_name(part);
	gunzip_free(g);
	return is;
}

/* ---- the database ---- */

/* One paragraph; borrowed from the text, lengths beside. */
struct paragraph {
	struct {
		const char *ptr;
		size_t len;
	} field[128]; /* by its letter */
};

static char *field_of(const struct paragraph *p, char letter)
{
	size_t i = (size_t)letter;

	return p->field[i].len ? xstrndup(p->field[i].ptr, p->field[i].len) : NULL;
}

static int finish(const struct paragraph *p, const char *name, struct installed *ret, struct error *err)
{
	_cleanup_free_ char *package = field_of(p, 'P'), *version = field_of(p, 'V'),
			    *arch = field_of(p, 'A'), *origin = field_of(p, 'o');
	struct installed_package *to;

	if (!package || !version)
		return error_set(err, -EINVAL, "%s: a package has no name (P:) or no version (V:)", name);
	if (ret->len >= PACKAGES_MAX)
		return error_set(err, -EFBIG, "%s: more than %u packages", name, PACKAGES_MAX);
	to = installed_add(ret, "apk", package, version, arch ? arch : "noarch");
	if (origin)
		to->source = xasprintf("%s %s", origin, version);
	to->license = field_of(p, 'L');
	to->vendor = field_of(p, 'm');
	return 0;
}

int apk_parse(const char *text, size_t len, const char *name, struct installed *ret, struct error *err)
{
	struct paragraph p = {0};
	bool open = false;
	int r = 0;

	for (unsigned number = 1; len > 0 && r == 0; number++) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;
		unsigned char letter = n ? (unsigned char)*text : 0;

		if (n == 0 && open) {
			r = finish(&p, name, ret, err);
			p = (struct paragraph){0};
			open = false;
		} else if (n > 0) {
			open = true;
			if (n < 2 || letter >= 128 || text[1] != ':' || memchr(text, 0, n))
				return error_set(err, -EINVAL, "%s:%u: is not a line of apk's database", name,
						 number);
			p.field[letter].ptr = text + 2;
			p.field[letter].len = n - 2;
		}
		n += nl != NULL;
		text += n;
		len -= n;
	}
	return r == 0 && open ? finish(&p, name, ret, err) : r;
}
