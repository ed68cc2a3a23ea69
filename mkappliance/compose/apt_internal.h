/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of apt share. */
#ifndef MKAPPLIANCE_COMPOSE_APT_INTERNAL_H
#define MKAPPLIANCE_COMPOSE_APT_INTERNAL_H

#include "compose/apt.h"
#include "lib/spawn.h"

/* What apt-get said, while it runs and when it failed. */
struct apt_talk {
	struct buf output;  /* standard output */
	struct buf log;	    /* standard error */
	char *failure;	    /* the first error */
	bool wants_reason;  /* the next line says why */
	const char *action; /* "installing app.deb", for messages */
};

void apt_talk_free(struct apt_talk *talk);
#define _cleanup_talk_ __attribute__((cleanup(apt_talk_free)))

/*
 * Runs apt-get with the configuration @conf in directory or root @root (NULL: here). A failure says what apt or dpkg gave as the first
 * reason: a dependency and who has it, a file that two packages have, a script that failed. -ENOPKG: a dependency.
 * All that was said is shown then, but for the first kind.
 */
int apt_get(const struct strlist *argv, const char *conf, const char *root, struct apt_talk *talk,
	    struct error *err);

/* Settings that all calls have in common, for the file of APT_CONFIG; @dir is where apt keeps what it needs, "/..." as it sees it. */
void apt_configure(const struct apt_job *job, const char *dir, struct buf *ret);

/* The packages that @job's need and the base does not have: a layer of NAME.deb files; its note lists them. */
int apt_archives(const struct apt_job *job, struct cached *ret, struct error *err);

/* Adds what decides what the base's repositories give to a key. */
int apt_key_add_sources(const struct apt_job *job, struct buf *key, struct error *err);

#endif
