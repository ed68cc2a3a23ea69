/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/apt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/apt_internal.h"
#include "compose/apt_root.h"
#include "compose/debian.h"
#include "compose/installed.h"
#include "compose/sandbox.h"
#include "compose/tar.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"

#define STATUS_PATH "var/lib/dpkg/status"
#define STATUS_MAX  ((size_t)256 << 20)
#define COPY_SIZE   ((size_t)1 << 20)

/* Where apt finds packages and configuration, below a /tmp that is not the tree's. */
#define WORK_DIR "/tmp/mkappliance"

/* One installation; what is opened is inherited by the sandbox. */
struct install {
	const struct apt_job *job;
	struct layer archives; /* fetched packages, in a tar; fd -1: there are none */
};

/* ---- the job ---- */

static int read_text(const struct merge *m, const char *path, char **ret, struct error *err)
{
	void *text = NULL;
	size_t len = 0;
	int r;

	if (!merge_find(m, path))
		return error_set(err, -ENOENT,
				 "/%s: the base has none, so that nothing can be installed there", path);
	r = merge_read(m, path, STATUS_MAX, &text, &len, err);
	if (r == 0)
		*ret = text;
	return r;
}

int apt_job_read(struct apt_job *job, const struct merge *m, struct error *err)
{
	int r = read_text(m, STATUS_PATH, &job->status, err);

	if (r == 0)
		r = dpkg_parse(job->status, strlen(job->status), "/" STATUS_PATH, &job->installed, err);
	if (r == 0)
		job->sources = debian_sources(job->t);
	if (r == 0 && !job->sources)
		r = read_text(m, "etc/apt/sources.list", &job->sources, err);
	return r;
}

void apt_job_free(struct apt_job *job)
{
	free(job->sources);
	free(job->status);
	dpkg_free(&job->installed);
	for (size_t i = 0; i < job->count; i++)
		package_free(&job->debs[i]);
	free(job->debs);
	free(job->paths);
	*job = (struct apt_job){0};
}

int apt_key_add_sources(const struct apt_job *job, struct buf *key, struct error *err)
{
	cache_key_add(key, "architecture", debian_architecture(job->t->appliance.arch));
	cache_key_add(key, "sources", job->sources);
	return debian_key_add_keyrings(job->t, key, err);
}

/* Whether each has what it needs in the base or in another of them, as far as that is seen without a solver. */
static bool is_satisfied(const struct apt_job *job)
{
	struct dpkg all = {0};
	bool good = true;

	all.list = xcalloc(job->installed.len + job->count, sizeof(*all.list));
	memcpy(all.list, job->installed.list, job->installed.len * sizeof(*all.list));
	all.len = job->installed.len;
	for (size_t i = 0; i < job->count; i++) {
		static char installed[] = "install ok installed";

		all.list[all.len] = job->debs[i].control.list[0]; /* borrowed */
		all.list[all.len++].status = installed;
	}
	for (size_t i = 0; good && i < job->count; i++) {
		const struct dpkg_package *c = &job->debs[i].control.list[0];
		_cleanup_free_ char *before = dpkg_first_unmet(&all, c->pre_depends);
		_cleanup_free_ char *after = dpkg_first_unmet(&all, c->depends);

		good = !before && !after;
	}
	free(all.list);
	return good;
}

/* ---- in the sandbox ---- */

static int write_text(const char *path, const char *text, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	return fd < 0 ? error_errno(err, -errno, "%s", path)
		      : io_write_full(fd, path, text, strlen(text), err);
}

/* The bytes of @e, which lie in @fd (@name in messages). */
static int copy_out(int fd, const char *name, const struct tree_entry *e, const char *to, struct error *err)
{
	struct tree_source source = {.fd = fd, .name = (char *)(uintptr_t)name};
	const struct tree t = {.sources = &source, .source_count = 1};
	_cleanup_close_ int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	_cleanup_free_ char *part = xmalloc(COPY_SIZE);
	uint64_t done = 0;
	int r = out < 0 ? error_errno(err, -errno, "%s", to) : 0;

	while (r == 0 && done < e->size) {
		size_t len = e->size - done < COPY_SIZE ? (size_t)(e->size - done) : COPY_SIZE;

		r = tree_read(&t, e, done, part, len, err);
		if (r == 0)
			r = io_write_full(out, to, part, len, err);
		done += len;
	}
	return r;
}

/* The .deb as it was when its digest was taken. */
static int copy_deb(const struct apt_job *job, size_t i, const char *to, struct error *err)
{
	const struct package *p = &job->debs[i];
	const struct tree_entry all = {.mode = S_IFREG, .size = p->size, .origin = ORIGIN_FD};
	int r = copy_out(p->layer.fd, job->paths[i], &all, to, err);

	return r < 0 ? r : tree_stamp_check(p->layer.fd, job->paths[i], &p->layer.stamp, err);
}

/* All packages go below WORK_DIR of the root, and their paths there to @argv. */
static int bring_packages(const struct install *in, const char *root, struct strlist *argv, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < in->job->count; i++) {
		_cleanup_free_ char *path = xasprintf("%s" WORK_DIR "/%zu-%s.deb", root, i,
						      in->job->debs[i].control.list[0].name);

		r = copy_deb(in->job, i, path, err);
		strlist_add(argv, path + strlen(root));
	}
	for (size_t i = 0; r == 0 && i < in->archives.len; i++) {
		const struct tree_entry *e = in->archives.entries[i].entry;
		_cleanup_free_ char *path = xasprintf("%s" WORK_DIR "/%s", root, e->path);

		r = copy_out(in->archives.fd, in->archives.name, e, path, err);
		strlist_add(argv, path + strlen(root));
	}
	return r;
}

static int prepare(const struct install *in, const char *root, struct error *err)
{
	static const char *const dirs[] = {"lists/partial", "archives/partial", "cache", "log"};
	_cleanup_free_ char *conf_path = xasprintf("%s" WORK_DIR "/apt.conf", root);
	_cleanup_free_ char *sources = xasprintf("%s" WORK_DIR "/sources.list", root);
	_cleanup_buf_ struct buf conf = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		_cleanup_free_ char *path = xasprintf("%s" WORK_DIR "/%s", root, dirs[i]);

		r = io_make_dirs(path, 0755, err);
	}
	apt_configure(in->job, WORK_DIR, &conf);
	if (r == 0)
		r = write_text(conf_path, conf.ptr, err);
	return r < 0 ? r : write_text(sources, "", err);
}

/* For sandbox_make(). What is to be installed is all there: no network, and no lists of packages, which would take longer to read. */
static int work(const struct sandbox *s, struct buf *note, void *data, struct error *err)
{
	const struct install *in = data;
	_cleanup_talk_ struct apt_talk talk = {.action = "installing the packages"};
	_cleanup_strlist_ struct strlist argv = {0};
	int r = sandbox_no_network(err);

	(void)note;
	strlist_add(&argv, "apt-get");
	strlist_add(&argv, "install");
	strlist_add(&argv, "-q");
	strlist_add(&argv, "--reinstall");
	if (r == 0)
		r = prepare(in, s->root, err);
	if (r == 0)
		r = bring_packages(in, s->root, &argv, err);
	if (r == 0)
		r = apt_root_begin(s->root, err);
	if (r == 0)
		r = apt_get(&argv, WORK_DIR "/apt.conf", s->root, &talk, err);
	return r < 0 ? r : apt_root_end(s->root, err);
}

/* ---- the layer ---- */

static int run(struct install *in, int fd, struct buf *note, struct error *err)
{
	const struct apt_job *job = in->job;
	const struct sandbox_options o = {.cache = job->cache,
					  .what = "packages on the base",
					  .base = job->base,
					  .base_count = 1,
					  .epoch = debian_epoch(job->t),
					  .work = work,
					  .data = in};

	return sandbox_make(&o, fd, note, err);
}

/* With what has to be fetched for it. */
static int run_with_archives(struct install *in, struct installed *list, int fd, struct buf *note,
			     struct error *err)
{
	_cleanup_cached_ struct cached archives = CACHED_INIT;
	int r = apt_archives(in->job, &archives, err);

	if (r < 0)
		return r;
	if (archives.note) {
		r = installed_parse(archives.note, archives.path, list, err);
		if (r < 0)
			return r;
	}
	in->archives.name = xstrdup("packages that are needed");
	in->archives.fd = steal_fd(&archives.fd);
	r = tar_index(in->archives.fd, archives.path, &in->archives, err);
	return r < 0 ? r : run(in, fd, note, err);
}

static void list_debs(const struct apt_job *job, struct installed *list)
{
	for (size_t i = 0; i < job->count; i++) {
		const struct dpkg_package *c = &job->debs[i].control.list[0];
		struct installed_package *p = installed_add(list, "deb", c->name, c->version,
							    c->architecture ? c->architecture : "all");
		char hex[SHA256_HEX_SIZE];

		hex_encode(job->debs[i].digest.b, SHA256_SIZE, hex);
		p->sha256 = xstrdup(hex);
	}
}

/* For cache_get(). */
static int make(int fd, struct buf *note, void *data, struct error *err)
{
	_cleanup_installed_ struct installed list = {0};
	struct install in = {.job = data, .archives = LAYER_INIT};
	int r = -ENOPKG;

	if (is_satisfied(in.job))
		r = run(&in, fd, note, err);
	if (r == -ENOPKG)
		r = run_with_archives(&in, &list, fd, note, err);
	layer_free(&in.archives);
	if (r < 0)
		return r;
	list_debs(in.job, &list);
	installed_sort(&list);
	installed_note(&list, note);
	return 0;
}

int apt_install(const struct apt_job *job, struct cached *ret, struct error *err)
{
	_cleanup_free_ char *epoch = xasprintf("%" PRId64, debian_epoch(job->t));
	_cleanup_free_ char *what = job->count == 1
					    ? xasprintf("package %s", job->debs[0].control.list[0].name)
					    : xasprintf("%zu packages", job->count);
	_cleanup_buf_ struct buf key = {0};
	char hex[SHA256_HEX_SIZE];
	int r;

	cache_key_add(&key, "format", CACHE_FORMAT);
	cache_key_add(&key, "kind", "debian-packages");
	hex_encode(job->base->digest.b, sizeof(job->base->digest.b), hex);
	cache_key_add(&key, "base", hex);
	cache_key_add(&key, "epoch", epoch);
	r = apt_key_add_sources(job, &key, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < job->count; i++) {
		hex_encode(job->debs[i].digest.b, sizeof(job->debs[i].digest.b), hex);
		cache_key_add(&key, "package", hex);
	}
	return cache_get(job->cache, &key, what, false, make, (void *)(uintptr_t)job, ret, err);
}
