/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/modules.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"

#define MODULES_MAX 100000u
#define DEPTH_MAX   64

struct module {
	char *name; /* with '_' */
	char *path;
	char *needs; /* paths with spaces between, as the file has them */
	bool builtin;
	bool busy; /* being resolved: coming back to it is a circle */
};

struct modules {
	char *release;
	struct module *list; /* sorted by name */
	size_t len;
	size_t cap;
};

void modules_free(struct modules *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->len; i++) {
		free(m->list[i].name);
		free(m->list[i].path);
		free(m->list[i].needs);
	}
	free(m->list);
	free(m->release);
	free(m);
}

void modules_freep(struct modules **m)
{
	modules_free(*m);
}

char *module_name_of(const char *path, size_t len)
{
	const char *slash = memrchr(path, '/', len);
	const char *base = slash ? slash + 1 : path;
	size_t n = len - (size_t)(base - path);
	const char *dot = memchr(base, '.', n);
	char *name = xstrndup(base, dot ? (size_t)(dot - base) : n);

	for (char *p = name; *p; p++)
		if (*p == '-')
			*p = '_';
	return name;
}

/* A path below the modules' directory and nothing else: no "..", not absolute, no control characters. */
static bool path_good(const char *path, size_t len)
{
	if (len == 0 || len > 1024 || path[0] == '/')
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)path[i] <= ' ')
			return false;
		if (path[i] == '.' && len - i > 1 && path[i + 1] == '.')
			return false;
	}
	return true;
}

static int add(struct modules *m, const char *file, const char *path, size_t len, const char *needs,
	       size_t needs_len, struct error *err)
{
	struct module *mod;

	if (!path_good(path, len))
		return error_set(err, -EINVAL, "kernel %s: %s has a path that is none: '%.*s'", m->release,
				 file, (int)(len < 100 ? len : 100), path);
	if (m->len >= MODULES_MAX)
		return error_set(err, -EFBIG, "kernel %s: %s has more than %u lines", m->release, file,
				 MODULES_MAX);
	array_grow(m->list, m->len, m->cap);
	mod = &m->list[m->len++];
	*mod = (struct module){.name = module_name_of(path, len), .path = xstrndup(path, len)};
	mod->needs = xstrndup(needs, needs_len);
	mod->builtin = strcmp(file, "modules.builtin") == 0;
	return 0;
}

/* Lines "PATH: PATH PATH..." of modules.dep, "PATH" of modules.builtin. */
static int parse_lines(struct modules *m, const char *file, const char *text, size_t len, bool has_needs,
		       struct error *err)
{
	while (len > 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;
		const char *colon = has_needs ? memchr(text, ':', n) : text + n;
		int r;

		if (memchr(text, 0, n) || !colon)
			return error_set(err, -EINVAL, "kernel %s: %s is damaged", m->release, file);
		if (n > 0) {
			const char *needs = colon < text + n ? colon + 1 : text + n;

			r = add(m, file, text, (size_t)(colon - text), needs, (size_t)(text + n - needs),
				err);
			if (r < 0)
				return r;
		}
		n += nl != NULL;
		text += n;
		len -= n;
	}
	return 0;
}

/* By name; one that is built in goes before a file of the same name. */
static int compare(const void *a, const void *b)
{
	const struct module *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c ? c : x->builtin != y->builtin ? (x->builtin ? -1 : 1) : strcmp(x->path, y->path);
}

int modules_parse(const char *dep, size_t dep_len, const char *builtin, size_t builtin_len, const char *name,
		  struct modules **ret, struct error *err)
{
	_cleanup_modules_ struct modules *m = xcalloc(1, sizeof(*m));
	int r;

	m->release = xstrdup(name);
	r = parse_lines(m, "modules.dep", dep, dep_len, true, err);
	if (r == 0)
		r = parse_lines(m, "modules.builtin", builtin, builtin_len, false, err);
	if (r < 0)
		return r;
	if (m->len)
		qsort(m->list, m->len, sizeof(*m->list), compare);
	*ret = steal_pointer(&m);
	return 0;
}

/* The first of that name. */
static struct module *find(struct modules *m, const char *name)
{
	size_t low = 0, high = m->len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(m->list[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->len && strcmp(m->list[low].name, name) == 0 ? &m->list[low] : NULL;
}

static bool listed(const struct strlist *paths, const char *path)
{
	for (size_t i = 0; i < paths->len; i++)
		if (strcmp(paths->ptr[i], path) == 0)
			return true;
	return false;
}

static int resolve(struct modules *m, struct module *mod, unsigned depth, struct strlist *paths,
		   struct error *err);

static int resolve_needs(struct modules *m, const struct module *mod, unsigned depth, struct strlist *paths,
			 struct error *err)
{
	for (const char *p = mod->needs + strspn(mod->needs, " "); *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");
		_cleanup_free_ char *name = module_name_of(p, n);
		struct module *need = find(m, name);
		int r;

		if (!need)
			return error_set(err, -EINVAL,
					 "kernel %s: module '%s' needs '%s', which modules.dep "
					 "does not have; run depmod",
					 m->release, mod->name, name);
		r = resolve(m, need, depth + 1, paths, err);
		if (r < 0)
			return r;
		p += n;
	}
	return 0;
}

static int resolve(struct modules *m, struct module *mod, unsigned depth, struct strlist *paths,
		   struct error *err)
{
	int r;

	if (mod->builtin || listed(paths, mod->path))
		return 0;
	if (mod->busy || depth > DEPTH_MAX)
		return error_set(err, -ELOOP, "kernel %s: the needs of module '%s' go in a circle",
				 m->release, mod->name);
	mod->busy = true;
	r = resolve_needs(m, mod, depth, paths, err);
	mod->busy = false;
	if (r == 0)
		strlist_add(paths, mod->path);
	return r;
}

int modules_resolve(struct modules *m, const char *module, bool optional, struct strlist *paths,
		    struct error *err)
{
	_cleanup_free_ char *name = module_name_of(module, strlen(module));
	struct module *mod = find(m, name);

	if (mod)
		return resolve(m, mod, 0, paths, err);
	if (optional)
		return 0;
	return error_usage(err, "kernel %s has no module '%s'", m->release, module);
}

int modules_needs(struct modules *m, const char *module, bool optional, struct strlist *names,
		  struct error *err)
{
	_cleanup_strlist_ struct strlist paths = {0};
	int r = modules_resolve(m, module, optional, &paths, err);

	for (size_t i = 0; i < paths.len; i++) {
		_cleanup_free_ char *name = module_name_of(paths.ptr[i], strlen(paths.ptr[i]));

		strlist_add(names, name);
	}
	strlist_sort(names);
	return r;
}
