/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/changelog.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/gunzip.h"
#include "lib/cleanup.h"

#define PACKED_MAX ((size_t)16 << 20)
#define TEXT_MAX_  ((size_t)64 << 20)
#define CVES_MAX   1000u

/* ---- the text ---- */

/* "CVE-YEAR-NUMBER" at @text: how long it is, 0: none. */
static size_t cve_len(const char *text, size_t len)
{
	size_t n = 4, digits = 0;

	if (len < 13 || memcmp(text, "CVE-", 4) != 0)
		return 0;
	while (n < 8 && isdigit((unsigned char)text[n]))
		n++;
	if (n != 8 || text[n++] != '-')
		return 0;
	while (n + digits < len && isdigit((unsigned char)text[n + digits]))
		digits++;
	return digits >= 4 && digits <= 12 ? n + digits : 0;
}

static void add_once(struct strlist *l, const char *text, size_t len)
{
	for (size_t i = 0; i < l->len; i++)
		if (strlen(l->ptr[i]) == len && memcmp(l->ptr[i], text, len) == 0)
			return;
	if (l->len < CVES_MAX)
		strlist_addf(l, "%.*s", (int)len, text);
}

static void add_line(struct strlist *l, const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t n = line[i] == 'C' ? cve_len(line + i, len - i) : 0;

		if (n)
			add_once(l, line + i, n);
	}
}

/* Whether a line begins the entry of a version: "package (version) distribution; ...". */
static bool is_heading(const char *line, size_t len, const char **ret_version, size_t *ret_len)
{
	const char *open = memchr(line, '(', len), *close;

	if (len == 0 || isspace((unsigned char)*line) || !open)
		return false;
	close = memchr(open, ')', len - (size_t)(open - line));
	if (!close)
		return false;
	*ret_version = open + 1;
	*ret_len = (size_t)(close - open - 1);
	return true;
}

void changelog_cves(const char *text, size_t len, const char *since, struct strlist *ret)
{
	_cleanup_strlist_ struct strlist newest = {0}, all = {0};
	bool found = false;
	size_t entries = 0;

	while (len > 0 && !found) {
		const char *nl = memchr(text, '\n', len), *version;
		size_t n = nl ? (size_t)(nl - text) : len, version_len;

		if (is_heading(text, n, &version, &version_len)) {
			found = strlen(since) == version_len && memcmp(version, since, version_len) == 0;
			entries++;
		} else if (entries > 0) {
			add_line(&all, text, n);
			if (entries == 1)
				add_line(&newest, text, n);
		}
		n += nl != NULL;
		text += n;
		len -= n;
	}
	for (size_t i = 0; i < (found ? all.len : newest.len); i++)
		add_once(ret, (found ? &all : &newest)->ptr[i], strlen((found ? &all : &newest)->ptr[i]));
}

/* ---- the file ---- */

/* False: not whole, or too long. */
static bool unpack(const void *data, size_t len, struct buf *ret)
{
	struct gunzip_memory m = {data, len};
	struct gunzip *g = gunzip_new(gunzip_read_memory, &m);
	const char *wrong = NULL;
	const void *part;
	ssize_t n;

	while ((n = gunzip_next(g, &part, &wrong)) > 0 && ret->len + (size_t)n <= TEXT_MAX_)
		buf_add(ret, part, (size_t)n);
	gunzip_free(g);
	return n == 0;
}

/* The version in "NAME VERSION"; NULL: none. */
static const char *source_version(const struct installed_package *p)
{
	const char *space = p->source ? strchr(p->source, ' ') : NULL;

	return space ? space + 1 : NULL;
}

void changelog_of_package(const struct tree *t, const struct installed_package *from,
			  const struct installed_package *to, struct strlist *ret)
{
	static const char *const names[] = {"changelog.Debian.gz", "changelog.gz"};

	if (strcmp(to->type, "deb") != 0)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_free_ char *path = xasprintf("/usr/share/doc/%s/%s", to->name, names[i]);
		const struct tree_entry *e = tree_resolve(t, path);
		const char *since = source_version(from);
		_cleanup_free_ void *packed = NULL;
		_cleanup_buf_ struct buf text = {0};
		struct error ignored = ERROR_INIT;
		size_t len = 0;

		if (!e || !S_ISREG(e->mode) || tree_read_all(t, e, PACKED_MAX, &packed, &len, &ignored) < 0 ||
		    !unpack(packed, len, &text))
			continue;
		changelog_cves(text.ptr ? text.ptr : "", text.len, since ? since : from->version, ret);
		return;
	}
}
