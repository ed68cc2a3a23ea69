/* SPDX-License-Identifier: Apache-2.0 */
/* What an install root of Debian needs so that its packages' scripts start nothing, and what is cleaned up behind them. */
#ifndef MKAPPLIANCE_COMPOSE_APT_ROOT_H
#define MKAPPLIANCE_COMPOSE_APT_ROOT_H

#include "lib/error.h"

/* What is said when SSH host keys that a package's script made were removed. */
#define NO_HOST_KEYS                                                                                             \
	"removed the SSH host keys that a package made: every machine would have the same, and whoever has the " \
	"image their secrets"

/* Puts a policy-rc.d there that says no to each start. */
int apt_root_begin(const char *root, struct error *err);

/* Takes it away, and the traces of this one installation: logs, backups of databases, what the package manager only caches. */
int apt_root_end(const char *root, struct error *err);

#endif
