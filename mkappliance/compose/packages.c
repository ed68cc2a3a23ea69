/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/packages.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/apk.h"
#include "compose/copyright.h"
#include "compose/rpmdb.h"
#include "lib/cleanup.h"

#define STATUS_PATH   "var/lib/dpkg/status"
#define STATUS_DIR    "var/lib/dpkg/status.d" /* of distroless images: a file for each package */
#define STATUS_MAX    ((size_t)256 << 20)
#define COPYRIGHT_MAX ((size_t)4 << 20)

static bool is_file(const struct merge *m, const char *path)
{
	const struct tree_entry *e = merge_find(m, path);

	return e && S_ISREG(e->mode);
}

/* ---- dpkg ---- */

int packages_read_dpkg(const struct merge *m, struct dpkg *ret, struct error *err)
{
	_cleanup_free_ void *text = NULL;
	size_t len = 0;
	int r;

	if (!merge_find(m, STATUS_PATH))
		return error_set(err, -ENOENT, "/%s: is not there", STATUS_PATH);
	r = merge_read(m, STATUS_PATH, STATUS_MAX, &text, &len, err);
	return r < 0 ? r : dpkg_parse(text, len, "/" STATUS_PATH, ret, err);
}

/* "NAME VERSION" of the source: Source= is "NAME" or "NAME (VERSION)", and what is missing is the package's own. */
static char *source_of(const struct dpkg_package *p)
{
	const char *name = p->source ? p->source : p->name, *open = strchr(name, '(');
	size_t len = strcspn(name, " (");
	size_t version = open ? strcspn(open + 1, ")") : 0;

	if (version)
		return xasprintf("%.*s %.*s", (int)len, name, (int)version, open + 1);
	return xasprintf("%.*s %s", (int)len, name, p->version);
}

static char *license_of(const struct merge *m, const char *package)
{
	_cleanup_free_ char *path = xasprintf("usr/share/doc/%s/copyright", package);
	struct error ignored = ERROR_INIT;
	_cleanup_free_ void *text = NULL;
	size_t len = 0;

	if (!is_file(m, path) || merge_read(m, path, COPYRIGHT_MAX, &text, &len, &ignored) < 0)
		return NULL;
	return copyright_licenses(text, len);
}

/* By now the packages' files are in the tree, be they in the database or not. */
static void add_licenses(const struct merge *m, struct installed *list)
{
	for (size_t i = 0; i < list->len; i++) {
		struct installed_package *p = &list->list[i];

		if (strcmp(p->type, "deb") == 0 && !p->license)
			p->license = license_of(m, p->name);
	}
}

void packages_add_deb(const struct dpkg_package *p, struct installed *list)
{
	struct installed_package *to =
		installed_add(list, "deb", p->name, p->version, p->architecture ? p->architecture : "all");

	to->source = source_of(p);
	to->vendor = p->maintainer && *p->maintainer ? xstrdup(p->maintainer) : NULL;
}

/* One file of status.d: a paragraph, without Status: because it would not be there otherwise. */
static int list_distroless(const struct merge *m, const char *path, struct installed *list, struct error *err)
{
	_cleanup_free_ char *shown = xasprintf("/%s", path);
	_cleanup_dpkg_ struct dpkg d = {0};
	_cleanup_free_ void *text = NULL;
	size_t len = 0;
	int r;

	r = merge_read(m, path, STATUS_MAX, &text, &len, err);
	if (r == 0)
		r = dpkg_parse(text, len, shown, &d, err);
	for (size_t i = 0; r == 0 && i < d.len; i++)
		packages_add_deb(&d.list[i], list);
	return r;
}

static int list_dpkg(const struct merge *m, struct installed *list, struct error *err)
{
	_cleanup_strlist_ struct strlist names = {0};
	_cleanup_dpkg_ struct dpkg d = {0};
	int r;

	r = packages_read_dpkg(m, &d, err);
	if (r < 0 && r != -ENOENT)
		return r;
	for (size_t i = 0; i < d.len; i++)
		if (dpkg_installed(&d.list[i]))
			packages_add_deb(&d.list[i], list);
	merge_list(m, STATUS_DIR, &names);
	for (size_t i = 0; i < names.len; i++) {
		_cleanup_free_ char *path = xasprintf(STATUS_DIR "/%s", names.ptr[i]);
		size_t len = strlen(path);

		if (!is_file(m, path) || (len > 8 && strcmp(path + len - 8, ".md5sums") == 0))
			continue;
		r = list_distroless(m, path, list, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- apk ---- */

static int list_apk(const struct merge *m, struct installed *list, struct error *err)
{
	static const char *const paths[] = {"lib/apk/db/installed", "usr/lib/apk/db/installed"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		_cleanup_free_ char *shown = xasprintf("/%s", paths[i]);
		_cleanup_free_ void *text = NULL;
		size_t len = 0;
		int r;

		if (!is_file(m, paths[i]))
			continue;
		r = merge_read(m, paths[i], STATUS_MAX, &text, &len, err);
		return r < 0 ? r : apk_parse(text, len, shown, list, err);
	}
	return 0;
}

/* ---- all together ---- */

int packages_list(const struct merge *m, const struct installed *notes, struct installed *list,
		  struct error *err)
{
	_cleanup_installed_ struct installed check = {0};
	_cleanup_json_ struct json *written = NULL;
	int r;

	r = list_dpkg(m, list, err);
	if (r == 0)
		r = rpmdb_list(m, list, err);
	if (r == 0)
		r = list_apk(m, list, err);
	if (r < 0)
		return r;
	installed_sort(list);
	installed_join(list, notes);
	add_licenses(m, list);
	/* A database that a reader of the manifest would refuse is refused here. */
	written = installed_json(list);
	r = installed_read(written, &check, err);
	return r < 0 ? error_prefix(err, "the root's package database") : 0;
}
