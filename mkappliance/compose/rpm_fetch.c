/* SPDX-License-Identifier: Apache-2.0 */
/* dnf: solves and downloads; declared in rpm_internal.h. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/rpm_internal.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"

#define REASONS_MAX 4
#define CHUNK	    ((size_t)1 << 20)

/* The solvers that we know, the best first. */
static const struct manager {
	const char *program;
	const char *package; /* Debian's */
} managers[] = {{"dnf", "dnf"}};

static const struct manager *find_manager(void)
{
	for (size_t i = 0; i < sizeof(managers) / sizeof(managers[0]); i++)
		if (spawn_available(managers[i].program))
			return &managers[i];
	return NULL;
}

/* ---- configuration ---- */

static void add_repository(struct buf *b, const struct template_repository *repo)
{
	static const char *const kinds[] = {[REPOSITORY_BASEURL] = "baseurl",
					    [REPOSITORY_METALINK] = "metalink",
					    [REPOSITORY_MIRRORLIST] = "mirrorlist"};

	/* Signatures are checked by rpm_verify(), against the keys of this repository alone. */
	buf_printf(b,
		   "\n[%s]\nname=%s\n%s=%s\nenabled=1\npriority=%u\ngpgcheck=0\nrepo_gpgcheck=0\n"
		   "module_hotfixes=1\nskip_if_unavailable=0\n",
		   repo->name, repo->name, kinds[repo->kind], repo->url, repo->priority);
}

/*
 * A configuration of our own: nothing of the host's repositories, plugins and variables. dnf looks for its directories below the
 * install root, whatever they are: through ".." they are beside it.
 */
static int write_config(const struct rpm_job *job, const char *path, const char *metadata, struct error *err)
{
	const struct template *t = job->t;
	_cleanup_buf_ struct buf b = {0};

	buf_printf(
		&b,
		"[main]\ncachedir=%s\npersistdir=/../scratch/persist\nsystem_state_dir=/../scratch/state\n"
		"logdir=/../scratch/log\nreposdir=/dev/null\nvarsdir=/dev/null\npluginpath=/dev/null\n"
		"pluginconfpath=/dev/null\nplugins=0\nprotected_packages=\ninstall_weak_deps=%d\nbest=1\n"
		"keepcache=1\ngpgcheck=0\nlocalpkg_gpgcheck=0\ncountme=0\nzchunk=0\nretries=3\ntimeout=30\n"
		"color=never\n",
		metadata, t->base.weak_dependencies);
	for (size_t i = 0; i < t->base.repositories.len; i++)
		add_repository(&b, &t->base.repositories.ptr[i]);
	return output_write_file(path, b.ptr, b.len, err);
}

/* For librpm in dnf: where the root's database is. */
static int write_macros(const struct rpm_job *job, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/home/.rpmmacros", job->s->scratch);
	_cleanup_free_ char *text =
		xasprintf("%%_dbpath %s\n%%_keyringpath %s/pubkeys\n", job->dbpath, job->dbpath);

	return output_write_file(path, text, strlen(text), err);
}

/* ---- the application's packages ---- */

/* A copy of our own, of the bytes whose digest names the layer in the cache. */
static int copy_file(const struct rpm_job *job, const struct rpm_file *f, struct strlist *ret,
		     struct error *err)
{
	const char *slash = strrchr(f->path, '/');
	_cleanup_free_ char *to = xasprintf("%s/packages/%s", job->s->scratch, slash ? slash + 1 : f->path);
	_cleanup_close_ int in = open(f->path, O_RDONLY | O_CLOEXEC), out = -EBADF;
	_cleanup_free_ char *chunk = xmalloc(CHUNK);
	struct sha256 digest;
	ssize_t n;
	int r;

	if (in < 0)
		return error_errno(err, -errno, "%s", f->path);
	out = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (out < 0 && errno == EEXIST)
		return error_usage(err, "%s: another package of [Package] Path= has the same file name",
				   f->path);
	if (out < 0)
		return error_errno(err, -errno, "%s", to);
	while ((n = read(in, chunk, CHUNK)) > 0) {
		r = io_write_full(out, to, chunk, (size_t)n, err);
		if (r < 0)
			return r;
	}
	if (n < 0)
		return error_errno(err, -errno, "%s", f->path);
	r = sha256_of_fd(out, to, &digest, NULL, err);
	if (r < 0)
		return r;
	if (memcmp(&digest, &f->digest, sizeof(digest)) != 0)
		return error_set(err, -ESTALE, "%s: was changed while it was being read; build again",
				 f->path);
	strlist_add(ret, to);
	return 0;
}

/* ---- running it ---- */

/* The text of a line that gives a reason, NULL for any other. */
static const char *reason_of(const char *line)
{
	static const char *const prefixes[] = {"- ", "No match for argument: ", "Unable to find a match: "};

	while (isspace((unsigned char)*line))
		line++;
	if (rpm_line_begins(line, "Error: "))
		line += strlen("Error: ");
	if (rpm_line_begins(line, "- "))
		return rpm_line_begins(line + 2, "conflicting requests") ? NULL : line + 2;
	for (size_t i = 1; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (rpm_line_begins(line, prefixes[i]))
			return line;
	if (rpm_line_begins(line, "Failed to download ") || rpm_line_begins(line, "Cannot download ") ||
	    rpm_line_begins(line, "Could not open: ") || rpm_line_begins(line, "Can not load RPM file: "))
		return line;
	return NULL;
}

char *rpm_solver_error(const struct strlist *lines)
{
	_cleanup_buf_ struct buf b = {0};
	const char *error = NULL;
	unsigned count = 0;

	for (size_t i = 0; i < lines->len && count < REASONS_MAX; i++) {
		const char *line = lines->ptr[i], *reason = reason_of(line);

		if (rpm_line_begins(line, "Error: ") && strspn(line + 7, " ") != strlen(line + 7) && !error)
			error = line + strlen("Error: ");
		if (!reason || (b.ptr && strstr(b.ptr, reason)))
			continue;
		buf_printf(&b, "%s%s", count++ ? "; " : "", reason);
	}
	if (b.len)
		return buf_steal(&b);
	return error ? xstrdup(error) : NULL;
}

/* dnf's cache of a list of repositories is used by one build at a time: its own locks do not see into a sandbox. */
static int lock_metadata(const char *dir, int *ret, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/lock", dir);
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return error_errno(err, -errno, "%s", path);
	*ret = steal_fd(&fd);
	return 0;
}

static int run_manager(const struct rpm_job *job, const struct manager *m, const char *config,
		       const struct strlist *files, struct error *err)
{
	_cleanup_strlist_ struct strlist argv = {0}, lines = {0};
	_cleanup_free_ char *reason = NULL;
	int r;

	strlist_add(&argv, m->program);
	strlist_addf(&argv, "--config=%s", config);
	strlist_addf(&argv, "--installroot=%s", job->s->root);
	/* Without one no address asks for it. */
	strlist_addf(&argv, "--releasever=%s", job->t->base.release ? job->t->base.release : "0");
	strlist_addf(&argv, "--forcearch=%s", rpm_architecture(job->t->appliance.arch));
	strlist_add(&argv, "--assumeyes");
	if (job->cache->refresh)
		strlist_add(&argv, "--refresh");
	strlist_add(&argv, "install");
	strlist_add(&argv, "--downloadonly");
	strlist_addf(&argv, "--destdir=%s/packages", job->s->scratch);
	for (size_t i = 0; i < files->len; i++)
		strlist_add(&argv, files->ptr[i]);
	for (size_t i = 0; i < job->packages.len; i++)
		strlist_add(&argv, job->packages.ptr[i]);
	r = rpm_run(job, &argv, m->package, &lines, err);
	if (r == -EPIPE && (reason = rpm_solver_error(&lines)))
		return error_set(err, r, "%s: %s", m->program, reason);
	return r;
}

static bool is_listed(const struct strlist *l, const char *path)
{
	for (size_t i = 0; i < l->len; i++)
		if (strcmp(l->ptr[i], path) == 0)
			return true;
	return false;
}

/* The application's first, then by name. */
static int list_downloads(struct rpm_job *job, const struct strlist *files, struct error *err)
{
	_cleanup_free_ char *pattern = xasprintf("%s/packages/*.rpm", job->s->scratch);
	glob_t g = {0};
	int r = glob(pattern, 0, NULL, &g);

	for (size_t i = 0; i < files->len; i++)
		strlist_add(&job->downloads, files->ptr[i]);
	for (size_t i = 0; r == 0 && i < g.gl_pathc; i++)
		if (!is_listed(files, g.gl_pathv[i]))
			strlist_add(&job->downloads, g.gl_pathv[i]);
	globfree(&g);
	if (job->downloads.len == 0)
		return error_set(err, -ENOENT, "there is nothing to install");
	return 0;
}

int rpm_fetch(struct rpm_job *job, struct error *err)
{
	_cleanup_free_ char *config = xasprintf("%s/dnf.conf", job->s->scratch), *metadata = NULL;
	const char *hex = strrchr(job->metadata, '/') + 1;
	const struct manager *m = find_manager();
	_cleanup_strlist_ struct strlist files = {0};
	_cleanup_close_ int lock = -EBADF;
	int r = 0;

	if (!m)
		return error_set(err, -ENOENT, "'dnf' is not installed (apt-get install dnf)");
	/* DIR/work/NAME/root is the root, DIR/dnf/HEX what is kept. */
	metadata = xasprintf("/../../../dnf/%s", hex);
	for (size_t i = 0; r == 0 && i < job->file_count; i++)
		r = copy_file(job, &job->files[i], &files, err);
	if (r == 0)
		r = write_config(job, config, metadata, err);
	if (r == 0)
		r = write_macros(job, err);
	if (r == 0)
		r = lock_metadata(job->metadata, &lock, err);
	if (r == 0)
		r = run_manager(job, m, config, &files, err);
	return r < 0 ? r : list_downloads(job, &files, err);
}
