/* SPDX-License-Identifier: Apache-2.0 */
/* The rpm database of a tree, whatever its format: ndb by ourselves (rpm_ndb.h), sqlite and Berkeley DB by the rpm program. */
#ifndef MKAPPLIANCE_COMPOSE_RPMDB_H
#define MKAPPLIANCE_COMPOSE_RPMDB_H

#include "compose/installed.h"
#include "compose/merge.h"

/*
 * Appends the packages of the database, if the tree has one. Its files are taken out into a private directory: rpm opens them for
 * writing. -ENOENT with the cure when rpm is needed and not installed.
 */
int rpmdb_list(const struct merge *m, struct installed *ret, struct error *err);

/*
 * What 'rpm -qa --qf RPMDB_FORMAT' prints: fields that end in \a, records that end in \b. Keys (gpg-pubkey) are no packages. Parser of untrusted
 * bytes; @name is for messages.
 */
#define RPMDB_FORMAT "%{NAME}\\a%{EVR}\\a%{ARCH}\\a%{SOURCERPM}\\a%{LICENSE}\\a%{VENDOR}\\a%{PACKAGER}\\a\\b"
int rpmdb_parse(const char *text, size_t len, const char *name, struct installed *ret, struct error *err);

#endif
