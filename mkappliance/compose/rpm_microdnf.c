/* SPDX-License-Identifier: Apache-2.0 */
/*
 * microdnf as the solver; declared in rpm_internal.h. It installs what repositories have, by name: files become a repository of their own.
 * "tsflags=test" makes it end when everything is downloaded and the transaction is checked; what it downloads lies in its cache.
 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "compose/rpm_internal.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define FILES_REPOSITORY "mkappliance-files"

static bool is_local(const char *url)
{
	return *url == '/' || strncmp(url, "file:", 5) == 0;
}

/*
 * It leaves packages and metadata of a directory where they are, and does not say which it would take. What a list of mirrors names it
 * fetches, from wherever it is.
 */
static int write_mirrors(const struct rpm_job *job, const struct template_repository *repo, char **ret,
			 struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/mirrors-%s", job->s->scratch, repo->name);
	_cleanup_free_ char *text = xasprintf("%s%s\n", *repo->url == '/' ? "file://" : "", repo->url);
	int r = output_write_file(path, text, strlen(text), err);

	if (r == 0)
		*ret = xasprintf("file://%s", path);
	return r;
}

int rpm_microdnf_configure(const struct rpm_job *job, struct error *err)
{
	static const char *const kinds[] = {[REPOSITORY_BASEURL] = "baseurl",
					    [REPOSITORY_METALINK] = "metalink",
					    [REPOSITORY_MIRRORLIST] = "mirrorlist"};
	_cleanup_free_ char *dir = xasprintf("%s/repos", job->s->scratch);
	_cleanup_free_ char *path = xasprintf("%s/all.repo", dir);
	_cleanup_buf_ struct buf b = {0};
	int r = io_make_dirs(dir, 0755, err);

	for (size_t i = 0; r == 0 && i < job->t->base.repositories.len; i++) {
		const struct template_repository *repo = &job->t->base.repositories.ptr[i];
		bool listed = repo->kind == REPOSITORY_BASEURL && is_local(repo->url);
		_cleanup_free_ char *mirrors = NULL;

		r = listed ? write_mirrors(job, repo, &mirrors, err) : 0;
		rpm_write_repository(&b, job, repo, listed ? "mirrorlist" : kinds[repo->kind],
				     listed && mirrors ? mirrors : repo->url);
	}
	if (job->file_count)
		buf_printf(&b,
			   "\n[" FILES_REPOSITORY "]\nname=files\nbaseurl=file://%s/packages\nenabled=1\n"
			   "priority=1\ngpgcheck=0\nrepo_gpgcheck=0\nmodule_hotfixes=1\n",
			   job->s->scratch);
	return r < 0 ? r : output_write_file(path, b.ptr ? b.ptr : "", b.len, err);
}

/* What @files are called, onto @ret; and an index of them. */
static int index_files(const struct rpm_job *job, const struct strlist *files, struct strlist *ret,
		       struct error *err)
{
	_cleanup_free_ char *dir = xasprintf("%s/packages", job->s->scratch);
	const char *createrepo[] = {"createrepo_c", "--quiet", dir, NULL};
	_cleanup_strlist_ struct strlist argv = {0}, index = {0};
	_cleanup_buf_ struct buf out = {0};
	struct spawn s = {.package = "rpm", .output = &out};
	int r;

	if (!files->len)
		return 0;
	for (size_t i = 0; createrepo[i]; i++)
		strlist_add(&index, createrepo[i]);
	r = rpm_run(job, &index, "createrepo-c", NULL, err);
	if (r < 0)
		return r;
	for (const char *const *w =
		     (const char *const[]){"rpm", "-qp", "--noglob", "--nosignature", "--nodigest", "--qf",
					   "%{NAME}-%{EPOCHNUM}:%{VERSION}-%{RELEASE}.%{ARCH}\n", NULL};
	     *w; w++)
		strlist_add(&argv, *w);
	for (size_t i = 0; i < files->len; i++)
		strlist_add(&argv, files->ptr[i]);
	s.argv = (const char *const *)argv.ptr;
	r = spawn_run(&s, err);
	for (char *save = NULL, *line = r == 0 && out.ptr ? strtok_r(out.ptr, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save))
		strlist_add(ret, line);
	return r;
}

/* What lies in its cache: moved to the downloads (@to), or removed (NULL). */
static int take_packages(const struct rpm_job *job, const char *to, struct error *err)
{
	_cleanup_free_ char *pattern = xasprintf("%s/microdnf/metadata/*/packages/*.rpm", job->metadata);
	glob_t g = {0};
	int r = 0;

	(void)glob(pattern, 0, NULL, &g);
	for (size_t i = 0; r == 0 && i < g.gl_pathc; i++) {
		const char *from = g.gl_pathv[i];
		_cleanup_free_ char *path = to ? xasprintf("%s%s", to, strrchr(from, '/')) : NULL;

		if ((to ? rename(from, path) : unlink(from)) < 0)
			r = error_errno(err, -errno, "%s", from);
	}
	globfree(&g);
	return r;
}

static void make_argv(const struct rpm_job *job, const struct rpm_manager *m, const char *config,
		      struct strlist *argv)
{
	strlist_add(argv, m->program);
	strlist_addf(argv, "--config=%s", config);
	strlist_addf(argv, "--installroot=%s", job->s->root);
	strlist_addf(argv, "--releasever=%s", rpm_release(job));
	strlist_add(argv, "--noplugins");
	strlist_add(argv, "--assumeyes");
	strlist_add(argv, "--best");
	if (job->cache->refresh)
		strlist_add(argv, "--refresh");
	strlist_addf(argv, "--setopt=cachedir=%s/microdnf", job->metadata);
	strlist_addf(argv, "--setopt=reposdir=%s/repos", job->s->scratch);
	strlist_add(argv, "--setopt=varsdir=/dev/null");
	strlist_addf(argv, "--setopt=install_weak_deps=%d", job->t->base.weak_dependencies);
	strlist_add(argv, "--setopt=keepcache=1");
	strlist_add(argv, "--setopt=tsflags=test");
	strlist_add(argv, "install");
}

int rpm_microdnf_solve(const struct rpm_job *job, const struct rpm_manager *m, const char *config,
		       const struct strlist *files, struct strlist *lines, struct error *err)
{
	_cleanup_free_ char *locks = xasprintf("%s/microdnf/lock", job->metadata);
	_cleanup_free_ char *downloads = xasprintf("%s/packages", job->s->scratch);
	_cleanup_strlist_ struct strlist argv = {0};
	const char *arch = rpm_architecture(job->t->appliance.arch);
	struct utsname host;
	int r;

	if (uname(&host) == 0 && strcmp(host.machine, arch) != 0)
		return error_set(err, -ENOTSUP,
				 "microdnf installs for this machine's architecture, not for %s: install dnf",
				 arch);
	make_argv(job, m, config, &argv);
	r = index_files(job, files, &argv, err);
	for (size_t i = 0; i < job->packages.len; i++)
		strlist_add(&argv, job->packages.ptr[i]);
	/* Of one that was killed: nobody else is at it while we hold our own lock. */
	if (r == 0)
		r = io_remove_tree(locks, err);
	if (r == 0)
		r = take_packages(job, NULL, err);
	if (r == 0)
		r = rpm_run(job, &argv, m->package, lines, err);
	return r < 0 ? r : take_packages(job, downloads, err);
}
