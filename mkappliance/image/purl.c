/* SPDX-License-Identifier: Apache-2.0 */
#include "image/purl.h"

#include <string.h>

#include "lib/cleanup.h"
#include "lib/percent.h"

/* Package URLs keep ":" as it is, and where a path may stand "/" too. */
#define KEEP	  ":"
#define KEEP_PATH ":/"

static void add_qualifier(struct buf *b, bool *first, const char *key, const char *value)
{
	buf_printf(b, "%c%s=", *first ? '?' : '&', key);
	percent_encode(b, value, KEEP_PATH);
	*first = false;
}

char *purl_of(const char *type, const char *name, const char *version, const char *key, const char *value)
{
	_cleanup_buf_ struct buf b = {0};
	bool first = true;

	buf_printf(&b, "pkg:%s/", type);
	percent_encode(&b, name, KEEP_PATH);
	if (version) {
		buf_add(&b, "@", 1);
		percent_encode(&b, version, KEEP);
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
	percent_encode(&b, p->type, KEEP);
	buf_add(&b, "/", 1);
	if (space) {
		percent_encode(&b, space, KEEP);
		buf_add(&b, "/", 1);
	}
	percent_encode(&b, p->name, KEEP);
	buf_add(&b, "@", 1);
	percent_encode(&b, version, KEEP);
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
