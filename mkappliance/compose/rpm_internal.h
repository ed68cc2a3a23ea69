/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of Source=rpm. All but rpm.c runs in a sandbox. */
#ifndef MKAPPLIANCE_COMPOSE_RPM_INTERNAL_H
#define MKAPPLIANCE_COMPOSE_RPM_INTERNAL_H

#include <stdbool.h>
#include <string.h>

#include "compose/rpm.h"
#include "compose/sandbox.h"

/* One transaction. */
struct rpm_job {
	const struct template *t;
	const struct cache *cache;
	struct strlist packages;      /* names, for the base */
	const struct rpm_file *files; /* for the application */
	size_t file_count;
	const char *metadata;	 /* DIR/dnf/HEX: what dnf keeps of the repositories */
	const struct sandbox *s; /* from here on set in the sandbox */
	char *dbpath;		 /* in the root: "/usr/lib/sysimage/rpm" */
	struct strlist
		downloads; /* absolute paths of all packages of the transaction; those of the application first */
};

/* "x86_64", "aarch64" */
const char *rpm_architecture(enum architecture arch);
/* No time in what is installed is later. */
int64_t rpm_epoch(const struct template *t);

/* ---- rpm_manager.c ---- */

/* A solver that we know. */
struct rpm_manager {
	const char *program;
	const char *package; /* Debian's; NULL: it has none */
	enum { RPM_DNF, RPM_DNF5, RPM_MICRODNF } kind;
};

/* Without one no address asks for it. */
static inline const char *rpm_release(const struct rpm_job *job)
{
	return job->t->base.release ? job->t->base.release : "0";
}

/* The one to use; NULL: none is installed. */
const struct rpm_manager *rpm_manager(void);

/* Writes the configuration to @path: nothing of the host's. @metadata is job->metadata as the manager sees it. */
int rpm_configure(const struct rpm_job *job, const struct rpm_manager *m, const char *path,
		  const char *metadata, struct error *err);

/* Solves and downloads @files and job->packages. */
int rpm_solve(const struct rpm_job *job, const struct rpm_manager *m, const char *config,
	      const struct strlist *files, struct error *err);

/* glob(3) of the primary.xml that the manager in use keeps of a repository below job->metadata. To be freed. */
char *rpm_primary_pattern(const struct rpm_job *job, const char *repository);

/* ---- rpm_microdnf.c ---- */

/* Writes its repositories, which it does not take from its configuration, to SCRATCH/repos. */
int rpm_microdnf_configure(const struct rpm_job *job, struct error *err);

/* rpm_solve() by microdnf, which has no option for any of it but the solving. @lines: what it said. */
int rpm_microdnf_solve(const struct rpm_job *job, const struct rpm_manager *m, const char *config,
		       const struct strlist *files, struct strlist *lines, struct error *err);

/* One repository's section of a configuration; @key: "baseurl", "mirrorlist" or "metalink". */
void rpm_write_repository(struct buf *b, const struct rpm_job *job, const struct template_repository *repo,
			  const char *key, const char *url);

/*
 * What dnf said, made one line: the reasons of a problem rather than the advice behind them. @lines are all that it printed. To be
 * freed; NULL: nothing that looks like a reason.
 */
char *rpm_solver_error(const struct strlist *lines);

/* ---- rpm_fetch.c ---- */

/* All packages that are needed: job->downloads. */
int rpm_fetch(struct rpm_job *job, struct error *err);

/* ---- rpm_origins.c ---- */

/* Where each of job->downloads comes from: by its SHA-256 in the metadata of the repositories. */
struct rpm_origin {
	char sha256[SHA256_HEX_SIZE];
	const struct template_repository *repository; /* NULL: the application's, or not to be told */
};

/* @ret: as many as downloads. */
int rpm_origins(const struct rpm_job *job, struct rpm_origin *ret, struct error *err);

/*
 * Looks for the digests @wanted (sorted, @count of them) in the text of a repository's primary.xml: calls @found for each that is there.
 */
void rpm_scan_primary(const char *text, size_t len, const char *const *wanted, size_t count,
		      void (*found)(const char *sha256, void *data), void *data);

/* build --locked: refuses when a package that the manifest has from a repository is in none now. */
int rpm_check_locked(const struct rpm_job *job, struct error *err);

/* ---- rpm_verify.c ---- */

/* Every package must be whole, and signed by who should have signed it. */
int rpm_verify(const struct rpm_job *job, const struct rpm_origin *origins, struct error *err);

/* ---- rpm_install.c ---- */

/* Finds out where and how the root's own rpm keeps its database; sets job->dbpath to where it is while we work. */
int rpm_database_open(struct rpm_job *job, struct error *err);
/* Leaves it there. */
int rpm_database_close(struct rpm_job *job, struct error *err);
/* Runs the transaction. */
int rpm_install(const struct rpm_job *job, struct error *err);
/* Removes what only tells when and where it was installed. */
int rpm_tidy(const struct rpm_job *job, time_t started, struct error *err);

/*
 * What rpm printed: the first reason why a transaction did not go through or a scriptlet failed, with what the scriptlet printed
 * last. To be freed; NULL: all is well.
 */
char *rpm_transaction_error(const struct strlist *lines);

/* ---- what they share ---- */

/* Whether a line that dnf or rpm printed begins so. */
static inline bool rpm_line_begins(const char *line, const char *prefix)
{
	return strncmp(line, prefix, strlen(prefix)) == 0;
}

/* Runs @argv on the host's files, shows its lines and notes them in @lines (may be NULL). */
int rpm_run(const struct rpm_job *job, const struct strlist *argv, const char *package, struct strlist *lines,
	    struct error *err);
/* The same for a program of rpm's that has nothing to say to anybody but us. */
int rpm_check(const struct rpm_job *job, const struct strlist *argv, struct strlist *lines,
	      struct error *err);

#endif
