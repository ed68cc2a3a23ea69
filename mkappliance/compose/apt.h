/* SPDX-License-Identifier: Apache-2.0 */
/*
 * [Package] Path=app.deb on Source=debian: installed by apt-get and dpkg on the base, so that its dependencies are resolved, its scripts
 * run and the database knows it.
 *
 * Two layers in the cache: the packages that are fetched because they are needed (remade when what is needed changes), and what
 * installing changes in the base. A rebuild after a change of the .deb alone needs no network.
 */
#ifndef MKAPPLIANCE_COMPOSE_APT_H
#define MKAPPLIANCE_COMPOSE_APT_H

#include "compose/cache.h"
#include "compose/merge.h"
#include "compose/package.h"

struct apt_job {
	const struct template *t;
	const struct cache *cache;
	const struct cached *base;
	struct dpkg installed; /* in the base */
	char *sources;	       /* its sources.list, as apt reads it here: with the template's keyring */
	char *status;	       /* its database, as text */
	struct package *debs;  /* without their content */
	const char **paths;    /* of the same */
	size_t count;
};

/* Reads of @m, which holds the base and no packages beside it, what an apt_job needs. */
int apt_job_read(struct apt_job *job, const struct merge *m, struct error *err);
void apt_job_free(struct apt_job *job);

/* What installing them changes, as a layer in which whiteouts count; its note lists the packages. */
int apt_install(const struct apt_job *job, struct cached *ret, struct error *err);

#endif
