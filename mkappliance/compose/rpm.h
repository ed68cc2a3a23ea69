/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source=rpm: a base, and application packages on it, from repositories of RPMs.
 *
 * dnf's solver says what is needed and fetches it; we verify every package against the keys of the repository that it came from
 * (rpmkeys); then, without a network, rpm installs all of it in one transaction (sandbox.h). What rpm forgives is an
 * error here: a %post that fails fails the build.
 */
#ifndef MKAPPLIANCE_COMPOSE_RPM_H
#define MKAPPLIANCE_COMPOSE_RPM_H

#include "compose/cache.h"

/* [Base] Packages= (and [Kernel] Package=, unless it is Debian's) as a layer; its note lists the packages. */
int rpm_base(const struct template *t, const struct cache *cache, struct cached *ret, struct error *err);

/* One application package. */
struct rpm_file {
	const char *path; /* borrowed */
	struct sha256 digest;
};

/* The application's packages and what they need beyond @base: the difference to it. */
int rpm_packages(const struct template *t, const struct cache *cache, const struct cached *base,
		 const struct rpm_file *files, size_t count, struct cached *ret, struct error *err);

/* Whether a file begins like an RPM (rpm's lead: ed ab ee db). */
bool rpm_begins(const void *head, size_t len);

#endif
