/* SPDX-License-Identifier: Apache-2.0 */
/* What to tell a distribution's own package manager. Pure functions. */
#ifndef MKAPPLIANCE_COMPOSE_DISK_INSTALL_H
#define MKAPPLIANCE_COMPOSE_DISK_INSTALL_H

#include <stdbool.h>

#include "compose/installed.h"
#include "lib/error.h"
#include "lib/mem.h"

enum package_kind { PACKAGE_OTHER, PACKAGE_DEB, PACKAGE_RPM, PACKAGE_APK };

/* By a file's first bytes (at most APK_HEAD of them matter): whether it is one that a package manager installs. */
enum package_kind disk_package_kind(const void *head, size_t len);

/* "deb", "rpm" or "apk": what its files are called; not for PACKAGE_OTHER. */
const char *disk_package_suffix(enum package_kind kind);

/*
 * The package manager to use where libguestfs says that it is @named: that one where its program is there, else the first of those we know
 * whose program is. @exists says of a path of the guest whether it is there. When there is none: @named. Borrowed.
 */
const char *disk_manager(const char *named, bool (*exists)(void *data, const char *path), void *data);

/*
 * Appends the lines for the guest's shell that install @names and the package files @files (paths in the guest) with
 * @manager, one that disk_manager() returned: what they need besides, and no weak dependencies. Without @network nothing is
 * fetched. Packages of a repository must be signed as the guest wants them, the files need not be. @locked: the versions that @names must have; NULL: any. Usage error when the manager is not known, or cannot install such files.
 */
int disk_install_commands(const char *manager, const struct strlist *names, const struct strlist *files,
			  enum package_kind kind, bool network, const struct installed *locked,
			  struct strlist *ret, struct error *err);

#endif
