/* SPDX-License-Identifier: Apache-2.0 */
/* What to tell a distribution's own package manager. Pure functions. */
#ifndef MKAPPLIANCE_COMPOSE_DISK_INSTALL_H
#define MKAPPLIANCE_COMPOSE_DISK_INSTALL_H

#include <stdbool.h>

#include "lib/error.h"
#include "lib/mem.h"

enum package_kind { PACKAGE_OTHER, PACKAGE_DEB, PACKAGE_RPM };

/* By a file's first bytes: whether it is one that a package manager installs. */
enum package_kind disk_package_kind(const void *head, size_t len);

/*
 * Appends the lines for the guest's shell that install @names and the package files @files (paths in the guest) with
 * @manager, one of libguestfs' names: what they need besides, and no weak dependencies. Without @network nothing is
 * fetched. Usage error when the manager is not known, or cannot install such files.
 */
int disk_install_commands(const char *manager, const struct strlist *names, const struct strlist *files,
			  enum package_kind kind, bool network, struct strlist *ret, struct error *err);

#endif
