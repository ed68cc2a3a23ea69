/* SPDX-License-Identifier: Apache-2.0 */
/* What to tell a distribution's own package manager. Pure functions. */
#ifndef MKAPPLIANCE_COMPOSE_DISK_INSTALL_H
#define MKAPPLIANCE_COMPOSE_DISK_INSTALL_H

#include <stdbool.h>

#include "compose/installed.h"
#include "lib/error.h"
#include "lib/mem.h"

enum package_kind { PACKAGE_OTHER, PACKAGE_DEB, PACKAGE_RPM };

/* By a file's first bytes: whether it is one that a package manager installs. */
enum package_kind disk_package_kind(const void *head, size_t len);

/*
 * Appends the lines for the guest's shell that install @names and the package files @files (paths in the guest) with
 * @manager, one of libguestfs' names or "dnf5": what they need besides, and no weak dependencies. Without @network nothing is
 * fetched. @locked: the versions that @names must have; NULL: any. Usage error when the manager is not known, or cannot install such files.
 */
int disk_install_commands(const char *manager, const struct strlist *names, const struct strlist *files,
			  enum package_kind kind, bool network, const struct installed *locked,
			  struct strlist *ret, struct error *err);

/*
 * The line of a manager's output that says that a scriptlet failed where the manager itself only warns of it; borrowed, NULL: there is
 * none.
 */
const char *disk_install_error(const struct strlist *output);

#endif
