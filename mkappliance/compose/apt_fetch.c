/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What packages need and the base does not have, fetched by the host's apt-get for the base: its database, its sources, a directory of our
 * own. Needs no root, and nothing is installed. Declared in apt_internal.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/apt_internal.h"
#include "compose/debian_pins.h"
#include "compose/directory.h"
#include "compose/installed.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/scratch.h"

/* One fetch. */
struct fetch {
	const struct apt_job *job;
	char *dir;
	char *conf;
};

static int write_file(const struct fetch *f, const char *name, const char *text, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", f->dir, name);

	return output_write_file(path, text, strlen(text), err);
}

/* apt uses what it finds behind file:// where it lies; we want all of it in one place. */
static char *with_scheme(const char *text, const char *from, const char *to)
{
	_cleanup_buf_ struct buf b = {0};

	for (const char *at; (at = strstr(text, from)); text = at + strlen(from)) {
		buf_add(&b, text, (size_t)(at - text));
		buf_printf(&b, "%s", to);
	}
	buf_printf(&b, "%s", text);
	return buf_steal(&b);
}

static int prepare(const struct fetch *f, struct error *err)
{
	static const char *const dirs[] = {"lists/partial", "archives/partial", "cache", "log"};
	_cleanup_free_ char *sources = with_scheme(f->job->sources, " file:", " copy:");
	_cleanup_buf_ struct buf conf = {0}, pins = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", f->dir, dirs[i]);

		r = io_make_dirs(path, 0755, err);
	}
	apt_configure(f->job, f->dir, &conf);
	buf_printf(&conf,
		   "Dir::State \"%s\";\nDir::State::status \"%s/status\";\nDebug::NoLocking \"true\";\n",
		   f->dir, f->dir);
	if (f->job->cache->locked) {
		debian_pins(f->job->cache->locked, &pins);
		buf_printf(&conf, "Dir::Etc::preferences \"%s/preferences\";\n", f->dir);
		if (r == 0)
			r = write_file(f, "preferences", pins.ptr ? pins.ptr : "", err);
	}
	if (r == 0)
		r = write_file(f, "sources.list", sources, err);
	if (r == 0)
		r = write_file(f, "status", f->job->status, err);
	return r < 0 ? r : write_file(f, "apt.conf", conf.ptr, err);
}

static int update(const struct fetch *f, struct error *err)
{
	_cleanup_talk_ struct apt_talk talk = {.action = "apt-get update"};
	_cleanup_strlist_ struct strlist argv = {0};

	strlist_add(&argv, "apt-get");
	strlist_add(&argv, "update");
	strlist_add(&argv, "-q");
	strlist_add(&argv, "--error-on=any");
	return apt_get(&argv, f->conf, NULL, &talk, err);
}

/* apt-get install of the packages with one more option; what it prints is added to @output. */
static int call_install(const struct fetch *f, const char *option, struct buf *output, struct error *err)
{
	_cleanup_talk_ struct apt_talk talk = {.action = "resolving dependencies"};
	_cleanup_strlist_ struct strlist argv = {0};
	int r;

	strlist_add(&argv, "apt-get");
	strlist_add(&argv, "install");
	strlist_add(&argv, "-q");
	strlist_add(&argv, option);
	for (size_t i = 0; i < f->job->count; i++)
		strlist_add(&argv, f->job->paths[i]);
	r = apt_get(&argv, f->conf, NULL, &talk, err);
	if (r == 0 && output)
		buf_add(output, talk.output.ptr ? talk.output.ptr : "", talk.output.len);
	return r;
}

/* Where "FILE" came from, by a line "'URI' FILE SIZE HASH" of --print-uris; to be freed, NULL: it is not there. */
static char *uri_of(const struct buf *uris, const char *file)
{
	_cleanup_free_ char *mark = xasprintf("' %s ", file);
	const char *at = uris->ptr ? strstr(uris->ptr, mark) : NULL;
	const char *start = at;

	while (start && start > uris->ptr && start[-1] != '\'')
		start--;
	if (!start || start == uris->ptr)
		return NULL;
	if (strncmp(start, "copy:", 5) == 0)
		return xasprintf("file://%.*s", (int)(at - start) - 5, start + 5);
	return xstrndup(start, (size_t)(at - start));
}

/* Notes the package in @path, a file of the layer. */
static int note_archive(const char *path, const char *name, const struct buf *uris, struct installed *list,
			struct error *err)
{
	_cleanup_package_ struct package p = PACKAGE_INIT;
	const struct dpkg_package *c;
	struct installed_package *i;
	char hex[SHA256_HEX_SIZE];
	int r = package_read_deb(path, &p, err);

	if (r < 0)
		return r;
	c = &p.control.list[0];
	i = installed_add(list, "deb", c->name, c->version, c->architecture ? c->architecture : "all");
	hex_encode(p.digest.b, sizeof(p.digest.b), hex);
	i->sha256 = xstrdup(hex);
	i->repository = uri_of(uris, name);
	return 0;
}

/* The files of archives/ as a layer, and what they are. */
static int write_layer(const struct fetch *f, const struct buf *uris, int fd, struct buf *note,
		       struct error *err)
{
	_cleanup_free_ char *dir = xasprintf("%s/archives", f->dir);
	_cleanup_installed_ struct installed list = {0};
	_cleanup_layer_ struct layer all = LAYER_INIT, l = LAYER_INIT;
	int r = directory_list(dir, "", &all, err);

	l.name = xstrdup("packages that are needed");
	l.fd = steal_fd(&all.fd);
	for (size_t i = 0; r == 0 && i < all.len; i++) {
		struct tree_entry *e = all.entries[i].entry;
		_cleanup_free_ char *path = xasprintf("%s/%s", dir, e->path);
		size_t len = strlen(e->path);

		if (!S_ISREG(e->mode) || strchr(e->path, '/') || len < 5 ||
		    strcmp(e->path + len - 4, ".deb") != 0)
			continue;
		r = note_archive(path, e->path, uris, &list, err);
		e->uid = e->gid = 0;
		e->mtime = 0;
		e->mode = S_IFREG | 0644;
		layer_add(&l, e, NULL);
		all.entries[i].entry = NULL;
	}
	if (r < 0)
		return r;
	installed_sort(&list);
	installed_note(&list, note);
	log_note("    %zu package%s fetched", list.len, list.len == 1 ? "" : "s");
	return archive_write_tar(&l, fd, l.name, err);
}

static int fetch(const struct fetch *f, int fd, struct buf *note, struct error *err)
{
	_cleanup_buf_ struct buf uris = {0};
	int r = prepare(f, err);

	if (r == 0)
		r = update(f, err);
	if (r == 0)
		r = call_install(f, "--print-uris", &uris, err);
	if (r == 0)
		r = call_install(f, "--download-only", NULL, err);
	return r < 0 ? r : write_layer(f, &uris, fd, note, err);
}

/* For cache_get(). */
static int make_archives(int fd, struct buf *note, void *data, struct error *err)
{
	struct fetch f = {.job = data};
	_cleanup_scratch_ struct scratch dir = SCRATCH_INIT;
	int r;

	if (!spawn_available("apt-get"))
		return error_set(err, -ENOENT, "'apt-get' is not installed (apt-get install apt)");
	r = scratch_open(NULL, "mkappliance-apt-", NULL, &dir, err);
	if (r < 0)
		return r;
	f.dir = dir.path;
	f.conf = xasprintf("%s/apt.conf", f.dir);
	r = fetch(&f, fd, note, err);
	free(f.conf);
	return r;
}

int apt_archives(const struct apt_job *job, struct cached *ret, struct error *err)
{
	_cleanup_buf_ struct buf key = {0};
	char hex[SHA256_HEX_SIZE];
	int r;

	cache_key_add(&key, "format", CACHE_FORMAT);
	cache_key_add(&key, "kind", "debian-archives");
	hex_encode(job->base->digest.b, sizeof(job->base->digest.b), hex);
	cache_key_add(&key, "base", hex);
	r = apt_key_add_sources(job, &key, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < job->count; i++) {
		const struct dpkg_package *c = &job->debs[i].control.list[0];

		/* Not its version: what it needs is the same until it says otherwise. */
		cache_key_add(&key, "package", c->name);
		cache_key_add(&key, "provides", c->provides);
		cache_key_add(&key, "pre-depends", c->pre_depends);
		cache_key_add(&key, "depends", c->depends);
	}
	return cache_get(job->cache, &key, "packages that are needed", true, make_archives,
			 (void *)(uintptr_t)job, ret, err);
}
