/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/unit_load.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/unit_words.h"
#include "lib/cleanup.h"
#include "template/suggest.h"

#define SUFFIX ".service"

/* What is below /run is gone when the machine starts. */
const char *const unit_directories[] = {"etc/systemd/system", "usr/local/lib/systemd/system",
					"usr/lib/systemd/system", "lib/systemd/system", NULL};

static bool has_suffix(const char *s, const char *suffix)
{
	size_t len = strlen(s), n = strlen(suffix);

	return len >= n && strcmp(s + len - n, suffix) == 0;
}

/* The path of @name in the first directory that has it, to be freed; NULL: none has. */
static char *find(const struct merge *m, const char *name)
{
	for (size_t i = 0; unit_directories[i]; i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", unit_directories[i], name);

		if (merge_has(m, path))
			return steal_pointer(&path);
	}
	return NULL;
}

/* Without the suffix that all of them have: it would make all of them alike. */
static int no_unit(const struct merge *m, const char *name, struct error *err)
{
	_cleanup_free_ char *stem = xstrndup(name, strlen(name) - strlen(SUFFIX));
	_cleanup_strlist_ struct strlist all = {0};
	struct suggestion s = {.word = stem};

	for (size_t i = 0; unit_directories[i]; i++)
		merge_list(m, unit_directories[i], &all);
	for (size_t i = 0; i < all.len; i++)
		if (has_suffix(all.ptr[i], SUFFIX)) {
			all.ptr[i][strlen(all.ptr[i]) - strlen(SUFFIX)] = 0;
			suggest_offer(&s, all.ptr[i]);
		}
	if (s.best)
		return error_usage(err, "the image has no unit '%s'; did you mean '%s" SUFFIX "'?", name,
				   s.best);
	return error_usage(err,
			   "the image has no unit '%s' in /etc/systemd/system, /usr/lib/systemd/system or "
			   "/lib/systemd/system",
			   name);
}

/* 1: read, 0: masked (empty, or a link to /dev/null, which leads nowhere in a tree, as does one to a file that is missing). */
static int read_file(const struct merge *m, const char *path, struct unit_file *ret, struct error *err)
{
	const struct tree_entry *e = merge_find(m, path);
	_cleanup_free_ char *shown = xasprintf("/%s", path);
	_cleanup_free_ void *text = NULL;
	size_t len = 0;
	int r;

	if (!e || S_ISCHR(e->mode) || (S_ISREG(e->mode) && e->size == 0))
		return 0;
	if (!S_ISREG(e->mode))
		return error_usage(err, "%s: is not a regular file in the image", shown);
	r = merge_read(m, path, UNIT_FILE_MAX, &text, &len, err);
	if (r < 0)
		return error_prefix(err, "%s", shown);
	r = unit_file_parse(text, len, shown, ret, err);
	return r < 0 ? r : 1;
}

/* ---- drop-ins ---- */

struct dropins {
	struct strlist names; /* of the files */
	struct strlist paths; /* of the same */
};

static bool knows(const struct strlist *l, const char *name)
{
	for (size_t i = 0; i < l->len; i++)
		if (strcmp(l->ptr[i], name) == 0)
			return true;
	return false;
}

/* The files of NAME.d in all directories; one of a name that is there already does not count. */
static void list_dropins(const struct merge *m, const char *name, struct dropins *d)
{
	for (size_t i = 0; unit_directories[i]; i++) {
		_cleanup_free_ char *dir = xasprintf("%s/%s.d", unit_directories[i], name);
		_cleanup_strlist_ struct strlist files = {0};

		merge_list(m, dir, &files);
		for (size_t f = 0; f < files.len; f++) {
			if (!has_suffix(files.ptr[f], ".conf") || knows(&d->names, files.ptr[f]))
				continue;
			strlist_add(&d->names, files.ptr[f]);
			strlist_addf(&d->paths, "%s/%s", dir, files.ptr[f]);
		}
	}
}

/* For "a-b.service" also "a-.service", and what is for every service. */
static void list_all_dropins(const struct merge *m, const char *id, const char *name, struct dropins *d)
{
	_cleanup_free_ char *of_template = unit_template_name(id);
	_cleanup_free_ char *prefix = xstrdup(id);

	list_dropins(m, id, d);
	if (strcmp(id, name) != 0)
		list_dropins(m, name, d);
	if (of_template)
		list_dropins(m, of_template, d);
	prefix[strcspn(prefix, "@.")] = 0;
	for (char *dash; (dash = strrchr(prefix, '-')); *dash = 0) {
		_cleanup_free_ char *cut = NULL;

		if (!dash[1] || dash == prefix)
			continue;
		dash[1] = 0;
		cut = xasprintf("%s" SUFFIX, prefix);
		list_dropins(m, cut, d);
	}
	list_dropins(m, "service", d);
}

static int read_dropins(const struct merge *m, struct dropins *d, struct unit_file *ret, struct error *err)
{
	for (size_t n = 0; n < d->names.len; n++) {
		size_t first = n;
		int r;

		/* In the order of their names, wherever they lie. */
		for (size_t i = n + 1; i < d->names.len; i++)
			if (strcmp(d->names.ptr[i], d->names.ptr[first]) < 0)
				first = i;
		char *name = d->names.ptr[first], *path = d->paths.ptr[first];

		d->names.ptr[first] = d->names.ptr[n];
		d->paths.ptr[first] = d->paths.ptr[n];
		d->names.ptr[n] = name;
		d->paths.ptr[n] = path;
		r = read_file(m, path, ret, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the unit ---- */

/* The unit's own name for itself: that of the file behind a link, with the instance that was asked for. */
static char *id_of(const struct merge *m, const char *path, const char *name)
{
	_cleanup_free_ char *real = merge_real_path(m, path);
	const char *base = real ? strrchr(real, '/') : NULL;

	if (!base || strchr(name, '@') || !has_suffix(base + 1, SUFFIX))
		return xstrdup(name);
	return xstrdup(base + 1);
}

int unit_load(const struct merge *m, const char *name, struct unit_file *ret, char **ret_id,
	      struct error *err)
{
	_cleanup_free_ char *full = strchr(name, '.') ? xstrdup(name) : xasprintf("%s" SUFFIX, name);
	_cleanup_free_ char *of_template = unit_template_name(full);
	_cleanup_free_ char *path = NULL, *id = NULL;
	struct dropins d = {0};
	int r;

	if (!has_suffix(full, SUFFIX))
		return error_usage(err, "'%s' is not a service", full);
	if (strchr(full, '@') && !of_template)
		return error_usage(err, "'%s' is a template of units; name one of them: %.*s@NAME" SUFFIX,
				   full, (int)strcspn(full, "@"), full);
	path = find(m, full);
	if (!path && of_template)
		path = find(m, of_template);
	if (!path)
		return no_unit(m, full, err);
	r = read_file(m, path, ret, err);
	if (r == 0)
		r = error_usage(
			err,
			"'%s' is masked in the image: /%s is empty, or a link to /dev/null or to a file that is not there",
			full, path);
	if (r < 0)
		return r;
	id = id_of(m, path, full);
	list_all_dropins(m, id, full, &d);
	r = read_dropins(m, &d, ret, err);
	strlist_free(&d.names);
	strlist_free(&d.paths);
	if (r < 0)
		return r;
	*ret_id = steal_pointer(&id);
	return 0;
}
