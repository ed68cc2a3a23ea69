/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/rpm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "compose/rpm_internal.h"
#include "compose/rpmdb.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/spawn.h"

#define KEY_FILE_MAX ((size_t)1 << 20)
#define NOTES_MAX    ((size_t)64 << 20)

/* With a date within its first day shadow(5) would say that every password must be changed. */
#define EPOCH_MIN 86400

const char *rpm_architecture(enum architecture arch)
{
	return arch == ARCH_ARM64 ? "aarch64" : "x86_64";
}

bool rpm_begins(const void *head, size_t len)
{
	return len >= 4 && memcmp(head, "\xed\xab\xee\xdb", 4) == 0;
}

int64_t rpm_epoch(const struct template *t)
{
	return t->appliance.epoch > EPOCH_MIN ? t->appliance.epoch : EPOCH_MIN;
}

/* A warning or an error of any of the programs is shown as it is, the rest as steps. */
static void on_line(const char *line, void *data)
{
	/* Debian's rpm says that it is not Debian's package manager. */
	if (strncmp(line, "rpm: ", 5) == 0 || !*line)
		return;
	if (data)
		strlist_add(data, line);
	if (strncmp(line, "warning: ", 9) == 0)
		log_warning("rpm: %s", line + 9);
	else
		log_note("    %s", line);
}

static void on_silent_line(const char *line, void *data)
{
	log_debug("    %s", line);
	strlist_add(data, line);
}

static int run(const struct rpm_job *job, const struct strlist *argv, const char *package,
	       void (*take)(const char *line, void *data), struct strlist *lines, struct error *err)
{
	_cleanup_free_ char *home = xasprintf("HOME=%s/home", job->s->scratch);
	/* A kernel's package would else make an initrd and look for a boot loader. */
	const char *env[] = {home, "KERNEL_INSTALL_BYPASS=1", NULL};
	struct spawn s = {.argv = (const char *const *)argv->ptr,
			  .package = package,
			  .env = env,
			  .join = true,
			  .on_line = take,
			  .data = lines};

	return spawn_run(&s, err);
}

int rpm_run(const struct rpm_job *job, const struct strlist *argv, const char *package, struct strlist *lines,
	    struct error *err)
{
	return run(job, argv, package, on_line, lines, err);
}

int rpm_check(const struct rpm_job *job, const struct strlist *argv, struct strlist *lines, struct error *err)
{
	return run(job, argv, "rpm", on_silent_line, lines, err);
}

/* ---- the transaction, in the sandbox ---- */

static int write_note(const struct rpm_job *job, const struct rpm_origin *origins, struct buf *note,
		      struct error *err)
{
	_cleanup_installed_ struct installed list = {0};
	_cleanup_strlist_ struct strlist argv = {0};
	_cleanup_buf_ struct buf out = {0};
	struct spawn s = {.package = "rpm", .output = &out};
	int r;

	strlist_add(&argv, "rpm");
	strlist_add(&argv, "-qp");
	strlist_add(&argv, "--noglob"); /* as in rpm_install() */
	strlist_add(&argv, "--nosignature");
	strlist_add(&argv, "--nodigest");
	strlist_add(&argv, "--qf");
	strlist_add(&argv, RPMDB_FORMAT);
	for (size_t i = 0; i < job->downloads.len; i++)
		strlist_add(&argv, job->downloads.ptr[i]);
	s.argv = (const char *const *)argv.ptr;
	r = spawn_run(&s, err);
	if (r == 0)
		r = rpmdb_parse(out.ptr ? out.ptr : "", out.len, "rpm -qp", &list, err);
	if (r == 0 && list.len != job->downloads.len)
		r = error_set(err, -EINVAL, "rpm lists %zu packages of %zu", list.len, job->downloads.len);
	if (r < 0)
		return r;
	for (size_t i = 0; i < list.len; i++) {
		list.list[i].sha256 = xstrdup(origins[i].sha256);
		if (origins[i].repository)
			list.list[i].repository = xstrdup(origins[i].repository->url);
	}
	installed_sort(&list);
	installed_note(&list, note);
	return 0;
}

static int prepare(struct rpm_job *job, struct error *err)
{
	_cleanup_free_ char *home = xasprintf("%s/home", job->s->scratch);
	_cleanup_free_ char *downloads = xasprintf("%s/packages", job->s->scratch);
	int r = io_make_dirs(home, 0755, err);

	return r < 0 ? r : io_make_dirs(downloads, 0755, err);
}

static int transact(struct rpm_job *job, struct buf *note, struct error *err)
{
	_cleanup_free_ struct rpm_origin *origins = NULL;
	time_t started = time(NULL);
	int r;

	r = prepare(job, err);
	if (r == 0)
		r = rpm_database_open(job, err);
	if (r == 0)
		r = rpm_fetch(job, err);
	if (r < 0)
		return r;
	origins = xcalloc(job->downloads.len + 1, sizeof(*origins));
	r = rpm_origins(job, origins, err);
	if (r == 0)
		r = rpm_verify(job, origins, err);
	if (r == 0)
		r = sandbox_no_network(err);
	if (r == 0)
		r = rpm_install(job, err);
	if (r == 0)
		r = write_note(job, origins, note, err);
	if (r == 0)
		r = rpm_database_close(job, err);
	return r < 0 ? r : rpm_tidy(job, started, err);
}

static int work(const struct sandbox *s, struct buf *note, void *data, struct error *err)
{
	struct rpm_job *job = data;

	job->s = s;
	return transact(job, note, err);
}

/* ---- our side ---- */

/* For cache_get(). */
struct making {
	struct rpm_job job;
	const struct cached *base;
	const char *what;
};

static int make(int fd, struct buf *note, void *data, struct error *err)
{
	struct making *m = data;
	const struct sandbox_options o = {.cache = m->job.cache,
					  .what = m->what,
					  .base = m->base,
					  .base_count = m->base ? 1 : 0,
					  .epoch = rpm_epoch(m->job.t),
					  .whole = !m->base,
					  .work = work,
					  .data = &m->job};

	int r = sandbox_make(&o, fd, note, err);
	size_t len = strlen(m->what);

	/* Of a single file it is often said already. */
	if (r < 0 && strncmp(err->text, m->what, len) == 0 && err->text[len] == ':')
		return r;
	return r < 0 ? error_prefix(err, "%s", m->what) : 0;
}

static int add_key_file(struct buf *key, const char *name, const char *path, struct error *err)
{
	_cleanup_buf_ struct buf content = {0};
	char hex[SHA256_HEX_SIZE];
	struct sha256 digest;
	int r;

	cache_key_add(key, name, path);
	if (*path != '/')
		return 0; /* a URL */
	r = io_read_file(AT_FDCWD, path, KEY_FILE_MAX, &content, err);
	if (r < 0)
		return r;
	sha256_of(content.ptr ? content.ptr : "", content.len, &digest);
	hex_encode(digest.b, sizeof(digest.b), hex);
	cache_key_add(key, "key-sha256", hex);
	return 0;
}

static int add_repositories(const struct template *t, struct buf *key, struct error *err)
{
	for (size_t i = 0; i < t->base.repositories.len; i++) {
		const struct template_repository *repo = &t->base.repositories.ptr[i];

		cache_key_add(key, "repository", repo->name);
		buf_printf(key, "kind=%d priority=%u check=%d\n", repo->kind, repo->priority, repo->check);
		cache_key_add(key, "url", repo->url);
		for (size_t k = 0; k < repo->keys.len; k++) {
			int r = add_key_file(key, "key", repo->keys.ptr[k], err);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* What base and application have in common. */
static int key_of(const struct template *t, const char *kind, struct buf *key, struct error *err)
{
	_cleanup_free_ char *epoch = xasprintf("%" PRId64, rpm_epoch(t));

	cache_key_add(key, "format", CACHE_FORMAT);
	cache_key_add(key, "kind", kind);
	cache_key_add(key, "architecture", rpm_architecture(t->appliance.arch));
	cache_key_add(key, "release", t->base.release);
	cache_key_add(key, "epoch", epoch);
	cache_key_add(key, "weak", t->base.weak_dependencies ? "yes" : "no");
	return add_repositories(t, key, err);
}

/* The repositories' metadata of one list of repositories, one release and one architecture. To be freed. */
static char *metadata_dir(const struct template *t, const struct cache *cache, struct error *err)
{
	const struct rpm_manager *m = rpm_manager();
	_cleanup_buf_ struct buf key = {0};
	char hex[SHA256_HEX_SIZE];
	struct sha256 digest;
	_cleanup_free_ char *dir = NULL;

	cache_key_add(&key, "architecture", rpm_architecture(t->appliance.arch));
	cache_key_add(&key, "release", t->base.release);
	if (m && m->kind != RPM_DNF) /* keeps it in its own way */
		cache_key_add(&key, "program", m->program);
	if (add_repositories(t, &key, err) < 0)
		return NULL;
	sha256_of(key.ptr, key.len, &digest);
	hex_encode(digest.b, sizeof(digest.b), hex);
	dir = xasprintf("%s/dnf/%s", cache->dir, hex);
	return io_make_dirs(dir, 0755, err) < 0 ? NULL : steal_pointer(&dir);
}

/* librpm looks for its own files as glob(3) does, and finds none of them there: it would take the root for an empty one. */
static int check_place(const struct cache *cache, struct error *err)
{
	const char *bad = strpbrk(cache->dir, "*?[{\\");

	if (!bad)
		return 0;
	return error_usage(
		err,
		"%s: rpm cannot work below a directory with a '%c' in its name; choose another one for "
		"the cache (--cache=)",
		cache->dir, *bad);
}

static int get(struct making *m, const struct buf *key, struct cached *ret, struct error *err)
{
	_cleanup_free_ char *metadata = NULL;
	int r = check_place(m->job.cache, err);

	if (r < 0)
		return r;
	metadata = metadata_dir(m->job.t, m->job.cache, err);
	if (!metadata)
		return err->code;
	m->job.metadata = metadata;
	return cache_get(m->job.cache, key, m->what, true, make, m, ret, err);
}

int rpm_base(const struct template *t, const struct cache *cache, struct cached *ret, struct error *err)
{
	struct making m = {.job = {.t = t, .cache = cache}, .what = "base"};
	_cleanup_free_ char *what = t->base.release ? xasprintf("base %s", t->base.release) : NULL;
	_cleanup_buf_ struct buf key = {0};
	int r = key_of(t, "rpm-base", &key, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < t->base.packages.len; i++)
		strlist_add(&m.job.packages, t->base.packages.ptr[i]);
	if (t->kernel.package && !t->base.suite)
		strlist_add(&m.job.packages, t->kernel.package);
	for (size_t i = 0; i < m.job.packages.len; i++)
		cache_key_add(&key, "package", m.job.packages.ptr[i]);
	if (what)
		m.what = what;
	r = get(&m, &key, ret, err);
	strlist_free(&m.job.packages);
	return r;
}

int rpm_packages(const struct template *t, const struct cache *cache, const struct cached *base,
		 const struct rpm_file *files, size_t count, struct cached *ret, struct error *err)
{
	const char *slash = strrchr(files[0].path, '/');
	struct making m = {.job = {.t = t, .cache = cache, .files = files, .file_count = count},
			   .base = base,
			   .what = slash ? slash + 1 : files[0].path};
	_cleanup_buf_ struct buf key = {0};
	char hex[SHA256_HEX_SIZE];
	int r = key_of(t, "rpm-packages", &key, err);

	hex_encode(base->digest.b, sizeof(base->digest.b), hex);
	cache_key_add(&key, "base", hex);
	for (size_t i = 0; i < count; i++) {
		hex_encode(files[i].digest.b, sizeof(files[i].digest.b), hex);
		cache_key_add(&key, "package-sha256", hex);
	}
	for (size_t i = 0; r == 0 && i < t->package_keys.len; i++)
		r = add_key_file(&key, "package-key", t->package_keys.ptr[i], err);
	return r < 0 ? r : get(&m, &key, ret, err);
}
