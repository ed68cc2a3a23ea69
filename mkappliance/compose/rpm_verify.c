/* SPDX-License-Identifier: Apache-2.0 */
/* Who signed the packages; declared in rpm_internal.h. */
#include <errno.h>
#include <string.h>

#include "compose/rpm_internal.h"
#include "lib/cleanup.h"
#include "lib/io.h"

/* Packages that are to be signed by the same keys. */
struct group {
	const char *name;	    /* of a repository */
	const char *setting;	    /* where its keys are named */
	const struct strlist *keys; /* borrowed */
	bool check;		    /* a signature is wanted; else only digests */
	struct strlist files;
	char *dbpath; /* its keyring */
};

static int import_key(const struct rpm_job *job, const struct group *g, const char *key, struct error *err)
{
	_cleanup_strlist_ struct strlist argv = {0};

	strlist_add(&argv, "rpmkeys");
	strlist_addf(&argv, "--dbpath=%s", g->dbpath);
	strlist_addf(&argv, "--define=_keyringpath %s/pubkeys", g->dbpath);
	strlist_add(&argv, "--import");
	strlist_add(&argv, key);
	if (rpm_run(job, &argv, "rpm", NULL, err) < 0)
		return error_prefix(err, "%s: the key %s cannot be read", g->setting, key);
	return 0;
}

/* What is wrong with the package that @lines[@at...] are about; NULL: nothing. */
static const char *wrong_with(const struct strlist *lines, size_t at, const char **ret_line)
{
	static const char unsigned_text[] = "is not signed";
	const char *wrong = NULL;

	for (size_t i = at; i < lines->len && rpm_line_begins(lines->ptr[i], "    "); i++) {
		const char *line = lines->ptr[i] + 4;

		if (strstr(line, ": BAD")) {
			*ret_line = line;
			return "is damaged";
		}
		if (!wrong || strcmp(wrong, unsigned_text) == 0) {
			const char *now = strstr(line, ": NOTTRUSTED")
						  ? "is signed by a key that is not trusted"
					  : strstr(line, ": NOKEY")		? "is signed by a foreign key"
					  : strstr(line, "signature: NOTFOUND") ? unsigned_text
										: NULL;

			*ret_line = now ? line : *ret_line;
			wrong = now ? now : wrong;
		}
	}
	return wrong;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* rpmkeys -Kv: "PATH:", then "    Header V4 RSA/SHA256 Signature, key ID 01234567: NOKEY" and so on for each. */
static int explain(const struct group *g, const struct strlist *lines, struct error *err)
{
	for (size_t i = 0; i < lines->len; i++) {
		size_t len = strlen(lines->ptr[i]);
		const char *line = "", *wrong;
		bool key;

		if (lines->ptr[i][0] != '/' || lines->ptr[i][len - 1] != ':')
			continue;
		wrong = wrong_with(lines, i + 1, &line);
		if (!wrong || (!g->check && strcmp(wrong, "is damaged") != 0))
			continue;
		lines->ptr[i][len - 1] = 0;
		key = strcmp(wrong, "is damaged") != 0;
		return error_refuse(err, "%s: %s (%.200s)%s%s", base_name(lines->ptr[i]), wrong, line,
				    key ? "; it must be signed by a key of " : "", key ? g->setting : "");
	}
	return err->code; /* in rpmkeys' own words */
}

static int verify_group(const struct rpm_job *job, struct group *g, unsigned number, struct error *err)
{
	_cleanup_strlist_ struct strlist argv = {0}, lines = {0};
	int r;

	if (!g->files.len)
		return 0;
	g->dbpath = xasprintf("%s/keys-%u", job->s->scratch, number);
	r = io_make_dirs(g->dbpath, 0755, err);
	for (size_t i = 0; r == 0 && g->check && i < g->keys->len; i++)
		r = import_key(job, g, g->keys->ptr[i], err);
	if (r < 0)
		return r;
	strlist_add(&argv, "rpmkeys");
	strlist_addf(&argv, "--dbpath=%s", g->dbpath);
	strlist_addf(&argv, "--define=_keyringpath %s/pubkeys", g->dbpath);
	strlist_addf(&argv, "--define=_pkgverify_level %s", g->check ? "all" : "digest");
	if (!g->check) /* else one by a key that we do not have would fail */
		strlist_add(&argv, "--nosignature");
	strlist_add(&argv, "-Kv");
	for (size_t i = 0; i < g->files.len; i++)
		strlist_add(&argv, g->files.ptr[i]);
	r = rpm_check(job, &argv, &lines, err);
	return r == -EPIPE ? explain(g, &lines, err) : r;
}

/* One group a repository, one for the application, one for packages of which it is not known whose they are. */
static void make_groups(const struct rpm_job *job, const struct rpm_origin *origins, struct group *groups,
			struct strlist *all_keys)
{
	const struct template *t = job->t;
	size_t n = t->base.repositories.len;

	for (size_t i = 0; i < n; i++) {
		const struct template_repository *repo = &t->base.repositories.ptr[i];

		groups[i] = (struct group){.name = repo->name, .keys = &repo->keys, .check = repo->check};
		groups[n + 1].check |= repo->check;
		for (size_t k = 0; k < repo->keys.len; k++)
			strlist_add(all_keys, repo->keys.ptr[k]);
	}
	groups[n].keys = &t->package_keys;
	groups[n].check = t->package_keys.len > 0;
	groups[n + 1].keys = all_keys;
	for (size_t i = 0; i < job->downloads.len; i++) {
		const struct template_repository *repo = origins[i].repository;
		size_t at = i < job->file_count ? n
			    : repo		? (size_t)(repo - t->base.repositories.ptr)
						: n + 1;

		strlist_add(&groups[at].files, job->downloads.ptr[i]);
	}
}

int rpm_verify(const struct rpm_job *job, const struct rpm_origin *origins, struct error *err)
{
	size_t n = job->t->base.repositories.len;
	_cleanup_free_ struct group *groups = xcalloc(n + 2, sizeof(*groups));
	_cleanup_strlist_ struct strlist all_keys = {0};
	int r = 0;

	make_groups(job, origins, groups, &all_keys);
	for (size_t i = 0; i < n + 2; i++) {
		_cleanup_free_ char *setting = i < n	? xasprintf("Repository=%s", groups[i].name)
					       : i == n ? xstrdup("[Package] GPGKey=")
							: xstrdup("a repository");

		groups[i].setting = setting;
		if (r == 0)
			r = verify_group(job, &groups[i], (unsigned)i, err);
		strlist_free(&groups[i].files);
		free(groups[i].dbpath);
	}
	return r;
}
