/* SPDX-License-Identifier: Apache-2.0 */
#include "image/purl.h"

#include <ctype.h>
#include <string.h>

#include "lib/cleanup.h"

/* Percent-encoded but for what the specification leaves as it is, and @keep. */
static void add_encoded(struct buf *b, const char *s, const char *keep)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c < 0x80 && isalnum(c)) || strchr(".-_~:", c) || strchr(keep, c))
			buf_add(b, s, 1);
		else
			buf_printf(b, "%%%02X", c);
	}
}

static void add_qualifier(struct buf *b, bool *first, const char *key, const char *value)
{
	buf_printf(b, "%c%s=", *first ? '?' : '&', key);
	add_encoded(b, value, "/");
	*first = false;
}

char *purl_of(const char *type, const char *name, const char *version, const char *key, const char *value)
{
	_cleanup_buf_ struct buf b = {0};
	bool first = true;

	buf_printf(&b, "pkg:%s/", type);
	add_encoded(&b, name, "/");
	if (version) {
		buf_add(&b, "@", 1);
		add_encoded(&b, version, "");
	}
	if (key)
		add_qualifier(&b, &first, key, value);
	return buf_steal(&b);
}

/* Who the type's packages are of when the root does not say it. */
static const char *name_space(const char *type, const char *os)
{
	if (os)
		return os;
	return strcmp(type, "deb") == 0 ? "debian" : strcmp(type, "apk") == 0 ? "alpine" : NULL;
}

char *purl_of_package(const struct installed_package *p, const char *os, const char *os_version)
{
	const char *space = name_space(p->type, os), *version = p->version;
	_cleanup_free_ char *epoch = NULL;
	_cleanup_buf_ struct buf b = {0};
	bool first = true;

	/* Only rpm has the epoch beside the version. */
	if (strcmp(p->type, "rpm") == 0 && strchr(version, ':')) {
		epoch = xstrndup(version, strcspn(version, ":"));
		version = strchr(version, ':') + 1;
	}
	buf_add(&b, "pkg:", 4);
	add_encoded(&b, p->type, "");
	buf_add(&b, "/", 1);
	if (space) {
		add_encoded(&b, space, "");
		buf_add(&b, "/", 1);
	}
	add_encoded(&b, p->name, "");
	buf_add(&b, "@", 1);
	add_encoded(&b, version, "");
	/* By their names. */
	add_qualifier(&b, &first, "arch", p->arch);
	if (os && os_version) {
		_cleanup_free_ char *distro = xasprintf("%s-%s", os, os_version);

		add_qualifier(&b, &first, "distro", distro);
	}
	if (epoch)
		add_qualifier(&b, &first, "epoch", epoch);
	return buf_steal(&b);
}
