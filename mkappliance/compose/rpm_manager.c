/* SPDX-License-Identifier: Apache-2.0 */
/* dnf, dnf5 and microdnf: their configuration, their command line and what they say; declared in rpm_internal.h. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compose/rpm_internal.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define REASONS_MAX 4

static const struct rpm_manager dnf = {.program = "dnf", .package = "dnf"};
static const struct rpm_manager dnf5 = {.program = "dnf5", .package = "dnf5", .kind = RPM_DNF5};
static const struct rpm_manager microdnf = {.program = "microdnf", .kind = RPM_MICRODNF};

/* For glob(3): dnf's directory of a repository is its name and 16 hexadecimal digits. */
#define HEX4  "[0-9a-f][0-9a-f][0-9a-f][0-9a-f]"
#define HEX16 HEX4 HEX4 HEX4 HEX4

const struct rpm_manager *rpm_manager(void)
{
	_cleanup_free_ char *path = spawn_find("dnf");
	/* Where dnf5 has taken over, "dnf" is a link to it. */
	_cleanup_free_ char *real = path ? realpath(path, NULL) : NULL;
	const char *slash = real ? strrchr(real, '/') : NULL;

	if (path && !(slash && strcmp(slash, "/dnf5") == 0))
		return &dnf;
	if (spawn_available("dnf5"))
		return &dnf5;
	return spawn_available("microdnf") ? &microdnf : NULL;
}

char *rpm_primary_pattern(const struct rpm_job *job, const char *repository)
{
	const struct rpm_manager *m = rpm_manager();

	if (m && m->kind == RPM_MICRODNF)
		return xasprintf("%s/microdnf/metadata/%s-%s-*/repodata/*primary.xml*", job->metadata,
				 repository, rpm_release(job));
	return xasprintf("%s/%s-" HEX16 "/repodata/*primary.xml*", job->metadata, repository);
}

/* ---- configuration ---- */

/* What has no business in a list of packages: the manifest may come from anywhere. */
static bool is_plain(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+~^_:-") ==
			     strlen(s);
}

/* build --locked: nothing but what the manifest has is to be seen in a repository. */
static void add_locked(struct buf *b, const struct installed *locked)
{
	const char *sep = "includepkgs=";

	for (size_t i = 0; i < locked->len; i++) {
		const struct installed_package *p = &locked->list[i];

		if (strcmp(p->type, "rpm") != 0 || !is_plain(p->name) || !is_plain(p->version) ||
		    !is_plain(p->arch))
			continue;
		buf_printf(b, "%s%s-%s%s.%s", sep, p->name, strchr(p->version, ':') ? "" : "0:", p->version,
			   p->arch);
		sep = ",";
	}
	if (*sep == ',')
		buf_printf(b, "\n");
}

void rpm_write_repository(struct buf *b, const struct rpm_job *job, const struct template_repository *repo,
			  const char *key, const char *url)
{
	/* Signatures are checked by rpm_verify(), against the keys of this repository alone. */
	buf_printf(b,
		   "\n[%s]\nname=%s\n%s=%s\nenabled=1\npriority=%u\ngpgcheck=0\nrepo_gpgcheck=0\n"
		   "module_hotfixes=1\nskip_if_unavailable=0\n",
		   repo->name, repo->name, key, url, repo->priority);
	if (job->cache->locked)
		add_locked(b, job->cache->locked);
}

/*
 * A configuration of our own: nothing of the host's repositories, plugins and variables. dnf looks for its directories below the
 * install root, whatever they are: through ".." they are beside it.
 */
static int write_config(const struct rpm_job *job, const struct rpm_manager *m, const char *path,
			const char *metadata, struct error *err)
{
	static const char *const kinds[] = {[REPOSITORY_BASEURL] = "baseurl",
					    [REPOSITORY_METALINK] = "metalink",
					    [REPOSITORY_MIRRORLIST] = "mirrorlist"};
	const struct template *t = job->t;
	_cleanup_buf_ struct buf b = {0};

	buf_printf(
		&b,
		"[main]\n%s=%s\npersistdir=/../scratch/persist\nsystem_state_dir=/../scratch/state\n"
		"logdir=/../scratch/log\nreposdir=/dev/null\nvarsdir=/dev/null\npluginpath=/dev/null\n"
		"pluginconfpath=/dev/null\nplugins=0\nprotected_packages=\ninstall_weak_deps=%d\nbest=1\n"
		"keepcache=1\ngpgcheck=0\nlocalpkg_gpgcheck=0\ncountme=0\nzchunk=0\nretries=3\ntimeout=30\n"
		"color=never\n",
		m->kind == RPM_DNF5 ? "system_cachedir" : "cachedir", metadata, t->base.weak_dependencies);
	for (size_t i = 0; m->kind != RPM_MICRODNF && i < t->base.repositories.len; i++) {
		const struct template_repository *repo = &t->base.repositories.ptr[i];

		rpm_write_repository(&b, job, repo, kinds[repo->kind], repo->url);
	}
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

int rpm_configure(const struct rpm_job *job, const struct rpm_manager *m, const char *path,
		  const char *metadata, struct error *err)
{
	int r = write_config(job, m, path, metadata, err);

	if (r == 0 && m->kind == RPM_MICRODNF)
		r = rpm_microdnf_configure(job, err);
	return r < 0 ? r : write_macros(job, err);
}

/* ---- what it says ---- */

/* The text of a line that gives a reason, NULL for any other. */
static const char *reason_of(const char *line)
{
	static const char *const prefixes[] = {
		"- ", "No match for argument: ", "Unable to find a match: ", "No package matches "};

	while (isspace((unsigned char)*line))
		line++;
	if (rpm_line_begins(line, "Error: ") || rpm_line_begins(line, "error: "))
		line += strlen("Error: ");
	if (rpm_line_begins(line, "- "))
		return rpm_line_begins(line + 2, "conflicting requests") ? NULL : line + 2;
	for (size_t i = 1; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (rpm_line_begins(line, prefixes[i]))
			return line;
	if (rpm_line_begins(line, "Failed to download ") || rpm_line_begins(line, "Cannot download ") ||
	    rpm_line_begins(line, "Could not open: ") || rpm_line_begins(line, "Failed to load RPM "))
		return line;
	return NULL;
}

/* " Problem 1: cannot install both a-1 and a-2": what the problem is, NULL where a reason follows on lines of its own. */
static const char *problem_of(const char *line)
{
	static const char begin[] = "Problem";
	const char *colon;

	line += strspn(line, " ");
	colon = rpm_line_begins(line, begin) ? strstr(line, ": ") : NULL;
	if (!colon || line + strlen(begin) + strspn(line + strlen(begin), " 0123456789") != colon ||
	    rpm_line_begins(colon + 2, "conflicting requests"))
		return NULL;
	return colon + 2;
}

/*
 * dnf 4 calls a file that it cannot read by where it lies in the sandbox: "Can not load RPM file: .../packages/a.rpm." To be freed; NULL:
 * another line.
 */
static char *unreadable(const struct strlist *lines)
{
	static const char begin[] = "Can not load RPM file: ";

	for (size_t i = 0; i < lines->len; i++) {
		const char *line = lines->ptr[i], *slash = strrchr(line, '/');
		size_t len = slash ? strlen(slash + 1) : 0;

		if (!rpm_line_begins(line, begin) || !len)
			continue;
		return xasprintf("%.*s is damaged or cut off", (int)(slash[len] == '.' ? len - 1 : len),
				 slash + 1);
	}
	return NULL;
}

/*
 * The file of a repository, or the metadata, that is not what the metadata say: "[MIRROR] a.rpm: Downloading successful, but checksum doesn't
 * match. ...", of a directory "Package "a" from local repository "x" has incorrect checksum". To be freed; NULL: there is none.
 */
static char *altered(const struct strlist *lines)
{
	static const char mirror[] = "[MIRROR] ",
			  what[] = ": Downloading successful, but checksum doesn't match";

	for (size_t i = 0; i < lines->len; i++) {
		const char *line = lines->ptr[i] + strspn(lines->ptr[i], " "), *end = strstr(line, what);
		const char *local = strstr(line, " from local repository ");

		if (end && rpm_line_begins(line, mirror))
			return xasprintf("%.*s is not what the repository's metadata say: another checksum",
					 (int)(end - line) - (int)strlen(mirror), line + strlen(mirror));
		if (local && rpm_line_begins(line, "Package ") && strstr(local, " has incorrect checksum"))
			return xasprintf("%.*s is not what the repository's metadata say: another checksum",
					 (int)(local - line) - (int)strlen("Package "),
					 line + strlen("Package "));
	}
	return NULL;
}

char *rpm_solver_error(const struct strlist *lines)
{
	_cleanup_buf_ struct buf b = {0};
	const char *error = NULL;
	char *file = unreadable(lines);
	unsigned count = 0;

	if (file)
		return file;
	for (size_t i = 0; i < lines->len && count < REASONS_MAX; i++) {
		const char *line = lines->ptr[i], *reason = reason_of(line);

		if (rpm_line_begins(line, "Error: ") && strspn(line + 7, " ") != strlen(line + 7) && !error)
			error = line + strlen("Error: ");
		if (!error)
			error = problem_of(line);
		if (!reason || (b.ptr && strstr(b.ptr, reason)))
			continue;
		buf_printf(&b, "%s%s", count++ ? "; " : "", reason);
	}
	if (b.len)
		return buf_steal(&b);
	return error ? xstrdup(error) : NULL;
}

/* ---- running it ---- */

/* dnf and dnf5 put everything into the directory of downloads. */
static int solve(const struct rpm_job *job, const struct rpm_manager *m, const char *config,
		 const struct strlist *files, struct strlist *lines, struct error *err)
{
	_cleanup_strlist_ struct strlist argv = {0};

	strlist_add(&argv, m->program);
	strlist_addf(&argv, "--config=%s", config);
	strlist_addf(&argv, "--installroot=%s", job->s->root);
	strlist_addf(&argv, "--releasever=%s", rpm_release(job));
	strlist_addf(&argv, "--forcearch=%s", rpm_architecture(job->t->appliance.arch));
	strlist_add(&argv, "--assumeyes");
	if (job->cache->refresh)
		strlist_add(&argv, "--refresh");
	if (m->kind == RPM_DNF5)
		strlist_addf(&argv, "--setopt=destdir=%s/packages", job->s->scratch);
	strlist_add(&argv, "install");
	strlist_add(&argv, "--downloadonly");
	if (m->kind == RPM_DNF)
		strlist_addf(&argv, "--destdir=%s/packages", job->s->scratch);
	for (size_t i = 0; i < files->len; i++)
		strlist_add(&argv, files->ptr[i]);
	for (size_t i = 0; i < job->packages.len; i++)
		strlist_add(&argv, job->packages.ptr[i]);
	return rpm_run(job, &argv, m->package, lines, err);
}

int rpm_solve(const struct rpm_job *job, const struct rpm_manager *m, const char *config,
	      const struct strlist *files, struct error *err)
{
	_cleanup_strlist_ struct strlist lines = {0};
	_cleanup_free_ char *reason = NULL, *other = NULL;
	int r = m->kind == RPM_MICRODNF ? rpm_microdnf_solve(job, m, config, files, &lines, err)
					: solve(job, m, config, files, &lines, err);

	if (r == -EPIPE && job->cache->locked && rpm_check_locked(job, err) < 0)
		return err->code;
	if (r == -EPIPE && (other = altered(&lines)))
		return error_refuse(err, "%s", other);
	if (r == -EPIPE && (reason = rpm_solver_error(&lines)))
		return error_set(err, r, "%s: %s", m->program, reason);
	return r;
}
