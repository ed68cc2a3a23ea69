/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration of a container image says of its start-up, as defaults of [Init]. */
#ifndef MKAPPLIANCE_COMPOSE_OCI_START_H
#define MKAPPLIANCE_COMPOSE_OCI_START_H

#include "compose/merge.h"
#include "compose/oci_json.h"
#include "template/template.h"

/*
 * Fills those fields of @t's [Init] that the template does not set, as a container runtime would start the image whose files are in
 * @m. @name is the image's for messages. Does nothing in Mode=system.
 */
int oci_start(struct template *t, const struct oci_config *c, const char *name, const struct merge *m,
	      struct error *err);

/* ---- pure parts, for the tests ---- */

/* "USER[:GROUP]"; *@ret_group is NULL where there is none. Both to be freed. */
int oci_user_split(const char *user, char **ret_user, char **ret_group, struct error *err);

/*
 * Where a runtime finds the program @name: itself when it has a '/', below @directory when that is relative, else in the PATH of
 * @env among the files of @m. To be freed; NULL: nowhere.
 */
char *oci_find_program(const struct merge *m, const char *name, const char *directory,
		       const struct strlist *env);

/* "SIGQUIT", "QUIT", "3", "SIGRTMIN+3". */
int oci_signal(const char *text, int *ret, struct error *err);

#endif
