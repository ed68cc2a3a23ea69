/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/presets.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/unit_file.h"
#include "compose/unit_load.h"
#include "compose/unit_words.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define ETC	  "etc/systemd/system"
#define SYSTEMD	  "90-systemd.preset"
#define FILE_MAX  ((size_t)1 << 20)
#define RULES_MAX 4096

/* One line: "enable app.service", "enable app@.service blue green", "disable *.timer". */
struct rule {
	char *pattern;
	bool enable;
	struct strlist instances;
};

struct presets {
	struct merge *m;
	struct layer links;
	struct rule *rules; /* the first that matches counts */
	size_t len;
	size_t cap;
};

static void presets_free(struct presets *p)
{
	for (size_t i = 0; i < p->len; i++) {
		free(p->rules[i].pattern);
		strlist_free(&p->rules[i].instances);
	}
	free(p->rules);
	layer_free(&p->links);
}

/* ---- reading ---- */

static void add_rule(struct presets *p, char *line, const char *name)
{
	_cleanup_strlist_ struct strlist words = {0};
	struct error ignored = ERROR_INIT;
	struct rule r = {0};

	line += strspn(line, "\t\r ");
	if (!*line || *line == '#' || *line == ';')
		return;
	if (unit_words(line, &words, &ignored) < 0 || words.len < 2 ||
	    (strcmp(words.ptr[0], "enable") != 0 && strcmp(words.ptr[0], "disable") != 0)) {
		log_warning(
			"/%s: '%s' is neither 'enable UNIT' nor 'disable UNIT'; passed over, as systemd does",
			name, line);
		return;
	}
	if (p->len == RULES_MAX)
		return;
	r.enable = words.ptr[0][0] == 'e';
	r.pattern = xstrdup(words.ptr[1]);
	for (size_t i = 2; i < words.len; i++)
		strlist_add(&r.instances, words.ptr[i]);
	array_grow(p->rules, p->len, p->cap);
	p->rules[p->len++] = r;
}

static int read_preset(struct presets *p, const char *path, struct error *err)
{
	const struct tree_entry *e = merge_find(p->m, path);
	_cleanup_free_ void *text = NULL;
	char *line, *rest;
	size_t len = 0;
	int r;

	if (!e || !S_ISREG(e->mode)) /* masked: a link to /dev/null */
		return 0;
	r = merge_read(p->m, path, FILE_MAX, &text, &len, err);
	if (r < 0)
		return error_prefix(err, "/%s", path);
	rest = text;
	while ((line = strsep(&rest, "\n")))
		add_rule(p, line, path);
	return 0;
}

/* In the order of their names, one of each name: the one in /etc before the others. */
static int read_presets(struct presets *p, struct error *err)
{
	_cleanup_strlist_ struct strlist names = {0};
	const char *last = "";
	int r = 0;

	for (size_t d = 0; unit_directories[d]; d++) {
		_cleanup_free_ char *dir = xasprintf("%s-preset", unit_directories[d]);

		merge_list(p->m, dir, &names);
	}
	strlist_sort(&names);
	for (size_t i = 0; r == 0 && i < names.len; last = names.ptr[i++]) {
		if (strcmp(names.ptr[i], last) == 0 || fnmatch("*.preset", names.ptr[i], 0) != 0 ||
		    strcmp(names.ptr[i], SYSTEMD) == 0)
			continue;
		for (size_t d = 0; unit_directories[d]; d++) {
			_cleanup_free_ char *path =
				xasprintf("%s-preset/%s", unit_directories[d], names.ptr[i]);

			if (!merge_has(p->m, path))
				continue;
			r = read_preset(p, path, err);
			break;
		}
	}
	return r;
}

/* ---- applying ---- */

static void add_link(struct presets *p, const char *path, const char *target)
{
	struct tree_entry *e;

	if (merge_has(p->m, path))
		return;
	e = entry_new(path, S_IFLNK | 0777);
	e->target = xstrdup(target);
	layer_add(&p->links, e, NULL);
}

/* The words of all assignments of @key in [Install]. */
static void install_words(const struct unit_file *u, const char *key, struct strlist *ret)
{
	for (size_t i = 0; i < u->len; i++) {
		struct error ignored = ERROR_INIT;

		if (strcmp(u->items[i].section, "Install") != 0 || strcmp(u->items[i].key, key) != 0)
			continue;
		if (!*u->items[i].value)
			strlist_free(ret);
		(void)unit_words(u->items[i].value, ret, &ignored);
	}
}

static bool is_unit_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/');
}

/* TARGET.wants/UNIT for each target of @key. */
static bool link_targets(struct presets *p, const struct unit_file *u, const char *key, const char *suffix,
			 const char *unit, const char *file)
{
	_cleanup_strlist_ struct strlist targets = {0};

	install_words(u, key, &targets);
	for (size_t i = 0; i < targets.len; i++) {
		_cleanup_free_ char *path = xasprintf(ETC "/%s.%s/%s", targets.ptr[i], suffix, unit);

		if (is_unit_name(targets.ptr[i]))
			add_link(p, path, file);
	}
	return targets.len > 0;
}

/* As 'systemctl enable' does it. @unit is what the links are called, @file what they lead to. */
static void enable(struct presets *p, const struct unit_file *u, const char *unit, const char *file)
{
	_cleanup_strlist_ struct strlist aliases = {0};
	bool any = link_targets(p, u, "WantedBy", "wants", unit, file);

	any |= link_targets(p, u, "RequiredBy", "requires", unit, file);
	install_words(u, "Alias", &aliases);
	for (size_t i = 0; i < aliases.len; i++) {
		_cleanup_free_ char *path = xasprintf(ETC "/%s", aliases.ptr[i]);

		if (is_unit_name(aliases.ptr[i]))
			add_link(p, path, file);
	}
	if (any || aliases.len)
		log_debug("a preset enables %s", unit);
}

/* Of a template the instances that the preset names, or the unit's own default. */
static void enable_instances(struct presets *p, const struct rule *r, const struct unit_file *u,
			     const char *unit, const char *file)
{
	_cleanup_strlist_ struct strlist instances = {0};
	const char *at = strchr(unit, '@');

	if (!at || at[1] != '.') {
		enable(p, u, unit, file);
		return;
	}
	for (size_t i = 0; i < r->instances.len; i++)
		strlist_add(&instances, r->instances.ptr[i]);
	if (!instances.len)
		install_words(u, "DefaultInstance", &instances);
	for (size_t i = 0; i < instances.len; i++) {
		_cleanup_free_ char *name =
			xasprintf("%.*s%s%s", (int)(at + 1 - unit), unit, instances.ptr[i], at + 1);

		if (is_unit_name(name))
			enable(p, u, name, file);
	}
}

/* Its links in all TARGET.wants and TARGET.requires, and those with other names. */
static void disable(struct presets *p, const char *unit)
{
	_cleanup_strlist_ struct strlist names = {0};

	merge_list(p->m, ETC, &names);
	for (size_t i = 0; i < names.len; i++) {
		_cleanup_free_ char *path = xasprintf(ETC "/%s/%s", names.ptr[i], unit);
		_cleanup_free_ char *alias = xasprintf(ETC "/%s", names.ptr[i]);
		_cleanup_free_ char *real = merge_real_path(p->m, alias);
		const char *base = real ? strrchr(real, '/') : NULL;

		if ((fnmatch("*.wants", names.ptr[i], 0) == 0 ||
		     fnmatch("*.requires", names.ptr[i], 0) == 0) &&
		    merge_has(p->m, path)) {
			log_debug("a preset disables %s in %s", unit, names.ptr[i]);
			merge_remove(p->m, path);
		} else if (base && strcmp(base + 1, unit) == 0 && strcmp(names.ptr[i], unit) != 0) {
			merge_remove(p->m, alias);
		}
	}
}

/* Unit @name of directory @dir, unless one of its name stands above it. */
static int apply_to(struct presets *p, const char *dir, const char *name, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name), *file = xasprintf("/%s", path);
	const struct tree_entry *e = merge_find(p->m, path);
	_cleanup_unit_file_ struct unit_file u = {0};
	_cleanup_free_ void *text = NULL;
	const struct rule *r = NULL;
	size_t len = 0;
	int x;

	for (size_t i = 0; !r && i < p->len; i++)
		if (fnmatch(p->rules[i].pattern, name, FNM_NOESCAPE) == 0)
			r = &p->rules[i];
	if (!r || !e || !S_ISREG(e->mode) || (!r->enable && strcmp(r->pattern, "*") == 0))
		return 0;
	if (!r->enable) {
		disable(p, name);
		return 0;
	}
	x = merge_read(p->m, path, UNIT_FILE_MAX, &text, &len, err);
	if (x == 0)
		x = unit_file_parse(text, len, file, &u, err);
	if (x == 0)
		enable_instances(p, r, &u, name, file);
	return x;
}

static bool is_above(const struct merge *m, size_t directory, const char *name)
{
	for (size_t i = 0; i < directory; i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", unit_directories[i], name);

		if (merge_has(m, path))
			return true;
	}
	return false;
}

static int apply(struct presets *p, struct error *err)
{
	int r = 0;

	for (size_t d = 0; r == 0 && unit_directories[d]; d++) {
		_cleanup_strlist_ struct strlist names = {0};

		merge_list(p->m, unit_directories[d], &names);
		for (size_t i = 0; r == 0 && i < names.len; i++)
			if (strchr(names.ptr[i], '.') && !is_above(p->m, d, names.ptr[i]))
				r = apply_to(p, unit_directories[d], names.ptr[i], err);
	}
	return r;
}

int presets_apply(struct merge *m, unsigned number, struct error *err)
{
	_cleanup_(presets_free) struct presets p = {.m = m, .links = LAYER_INIT};
	int r = read_presets(&p, err);

	p.links.name = xstrdup("units that presets enable");
	if (r == 0 && p.len)
		r = apply(&p, err);
	if (r == 0 && p.links.len)
		r = merge_layer(m, &p.links, number,
				MERGE_KEEP_LINKS | MERGE_KEEP_DIRECTORIES | MERGE_NO_WHITEOUTS, err);
	return r;
}
